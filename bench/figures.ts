/*
 * Figures of a noisy machine: medians and quartiles of many short blocks, never one long run.
 */

/** A quantity measured in several blocks. */
export interface Figure {
  readonly median: number;
  readonly q1: number;
  readonly q3: number;
}

/** The value below which a share of the sorted samples lies, linearly between two of them. */
function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (position - below) * (high - low);
}

/** Median and quartiles; null of nothing. */
export function figureOf(samples: readonly number[]): Figure | null {
  if (samples.length === 0) return null;
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    q1: quantile(sorted, 0.25),
    q3: quantile(sorted, 0.75),
  };
}

/** One quantity over another, block by block; blocks that lack either are left out. */
export function ratioOf(
  samples: readonly (number | null)[],
  base: readonly (number | null)[] | undefined,
): Figure | null {
  if (base === undefined) return null;
  const ratios: number[] = [];
  for (const [index, sample] of samples.entries()) {
    const other = base[index];
    if (sample === null || other === null || other === undefined || other === 0) continue;
    ratios.push(sample / other);
  }
  return figureOf(ratios);
}

/** How far the quartiles lie apart, as a share of the median: what noise does to a figure. */
export function spreadOf({ median, q1, q3 }: Figure): number {
  return median === 0 ? 0 : (q3 - q1) / median;
}
