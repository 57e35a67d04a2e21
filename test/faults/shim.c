/*
 * Owns the kernel's bad days: a library that LD_PRELOAD puts between a process and its C library,
 * and that makes system calls on UDP sockets, and those of the addon's waker, fail as it is told.
 * Never fails a call while the control page says nothing, and touches no other descriptor: pipes,
 * files and Node's own epoll stay as they are. The control page is a file (NETRT_FAULTS) of
 * CONTROL_WORDS words that the test writes while the process runs; test/faults/control.ts has the
 * same words. Linux with glibc, 64 bits.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { CONTROL_WORDS = 1024, RULES_MAX = 128, CALLS = 16 };
/* Words of the control page. */
enum {
  WORD_ENABLED = 0, /* 0: nothing fails */
  WORD_SEED = 1,
  WORD_ONE_IN = 2, /* a call fails with this chance */
  WORD_EVERY = 3,  /* not 0: each such call fails instead, counted per kind of call */
  WORD_LEFT = 4,   /* faults still to make; UINT32_MAX has no end */
  WORD_SKIP = 5,   /* calls that go well before the first fault */
  WORD_RULES = 6,  /* how many rules follow */
  WORD_RULE = 8,   /* pairs: call, error */
  WORD_SEEN = 512, /* calls so far, per kind */
  WORD_MADE = 640  /* faults so far, per rule */
};

/* Kinds of calls; test/faults/control.ts names them. */
enum {
  CALL_SOCKET,
  CALL_OPTION,
  CALL_BIND,
  CALL_NAME,
  CALL_EPOLL,
  CALL_TIMER,
  CALL_BELL,
  CALL_THREAD,
  CALL_RECEIVE,
  CALL_SEND,
  CALL_WAIT
};

/* What is no errno: the call goes well, and says something odd. */
enum {
  ODD = 1000,
  ODD_PARTIAL = 1000, /* sendmmsg takes a part of the batch */
  ODD_ZERO = 1001,    /* sendmmsg takes nothing, and is not sorry */
  ODD_TRUNCATED = 1002,
  ODD_EMPTY = 1003, /* an empty datagram in place of one with content */
  ODD_PORT_ZERO = 1004,
  ODD_SPURIOUS = 1005 /* a wake-up without an event */
};

static volatile uint32_t* control;

static void* real(const char* name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  const char* file = getenv("NETRT_FAULTS");
  if (file == NULL) return;
  const int handle = open(file, O_RDWR | O_CLOEXEC);
  if (handle < 0) return;
  void* page = mmap(NULL, CONTROL_WORDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
  close(handle);
  if (page != MAP_FAILED) control = page;
}

static uint32_t hash(uint32_t value) {
  value ^= value >> 16;
  value *= 0x7feb352du;
  value ^= value >> 15;
  value *= 0x846ca68bu;
  return value ^ value >> 16;
}

/* Takes one of the faults that are left. */
static int take(void) {
  uint32_t left = __atomic_load_n(&control[WORD_LEFT], __ATOMIC_RELAXED);
  while (left != 0) {
    if (left == UINT32_MAX) return 1;
    if (__atomic_compare_exchange_n(&control[WORD_LEFT], &left, left - 1, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
      return 1;
    }
  }
  return 0;
}

/* The rule by which this call fails, or -1. Counts the call, not yet the fault. */
static int draw(uint32_t call) {
  if (control == NULL || control[WORD_ENABLED] == 0) return -1;
  const uint32_t rules = control[WORD_RULES];
  uint32_t mine = 0;
  for (uint32_t rule = 0; rule < rules && rule < RULES_MAX; rule++) {
    if (control[WORD_RULE + 2 * rule] == call) mine++;
  }
  if (mine == 0) return -1;
  const uint32_t index = __atomic_fetch_add(&control[WORD_SEEN + call], 1, __ATOMIC_RELAXED);
  if (index < control[WORD_SKIP]) return -1;
  const uint32_t chance = hash(control[WORD_SEED] + hash(index * CALLS + call));
  const uint32_t every = control[WORD_EVERY];
  const uint32_t oneIn = control[WORD_ONE_IN];
  if (every != 0 ? index % every != 0 : oneIn == 0 || chance % oneIn != 0) return -1;
  uint32_t chosen = hash(chance) % mine;
  for (uint32_t rule = 0;; rule++) {
    if (control[WORD_RULE + 2 * rule] == call && chosen-- == 0) return take() ? (int)rule : -1;
  }
}

static uint32_t error(int rule) { return control[WORD_RULE + 2 * rule + 1]; }

static void count(int rule) { __atomic_fetch_add(&control[WORD_MADE + rule], 1, __ATOMIC_RELAXED); }

/* Fails with an errno, if that is what the rule says. */
static int fails(int rule) {
  if (rule < 0 || error(rule) >= ODD) return 0;
  count(rule);
  errno = (int)error(rule);
  return 1;
}

static int isUdp(int handle) {
  if (control == NULL || control[WORD_ENABLED] == 0) return 0;
  const int before = errno;
  int protocol = 0;
  socklen_t size = sizeof(protocol);
  const int got = getsockopt(handle, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
  errno = before;
  return got == 0 && protocol == IPPROTO_UDP;
}

/* Whether the addon makes this call, and not Node. */
static int isAddon(void* caller) {
  if (control == NULL || control[WORD_ENABLED] == 0) return 0;
  Dl_info info;
  return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
         strstr(info.dli_fname, "netrt.node") != NULL;
}

/* ---- Opening ---- */

int socket(int domain, int type, int protocol) {
  static int (*next)(int, int, int);
  if (next == NULL) next = real("socket");
  const int inet = domain == AF_INET || domain == AF_INET6;
  if (inet && (type & 0xf) == SOCK_DGRAM && fails(draw(CALL_SOCKET))) return -1;
  return next(domain, type, protocol);
}

int setsockopt(int handle, int level, int option, const void* value, socklen_t size) {
  static int (*next)(int, int, int, const void*, socklen_t);
  if (next == NULL) next = real("setsockopt");
  if (isUdp(handle) && fails(draw(CALL_OPTION))) return -1;
  return next(handle, level, option, value, size);
}

int bind(int handle, const struct sockaddr* address, socklen_t size) {
  static int (*next)(int, const struct sockaddr*, socklen_t);
  if (next == NULL) next = real("bind");
  if (isUdp(handle) && fails(draw(CALL_BIND))) return -1;
  return next(handle, address, size);
}

int getsockname(int handle, struct sockaddr* address, socklen_t* size) {
  static int (*next)(int, struct sockaddr*, socklen_t*);
  if (next == NULL) next = real("getsockname");
  if (isUdp(handle) && fails(draw(CALL_NAME))) return -1;
  return next(handle, address, size);
}

int epoll_create1(int flags) {
  static int (*next)(int);
  if (next == NULL) next = real("epoll_create1");
  if (isAddon(__builtin_return_address(0)) && fails(draw(CALL_EPOLL))) return -1;
  return next(flags);
}

int timerfd_create(int clock, int flags) {
  static int (*next)(int, int);
  if (next == NULL) next = real("timerfd_create");
  if (isAddon(__builtin_return_address(0)) && fails(draw(CALL_TIMER))) return -1;
  return next(clock, flags);
}

int eventfd(unsigned int value, int flags) {
  static int (*next)(unsigned int, int);
  if (next == NULL) next = real("eventfd");
  if (isAddon(__builtin_return_address(0)) && fails(draw(CALL_BELL))) return -1;
  return next(value, flags);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  static int (*next)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  if (next == NULL) next = real("pthread_create");
  if (isAddon(__builtin_return_address(0)) && fails(draw(CALL_THREAD))) return errno;
  return next(thread, attributes, run, argument);
}

/* ---- Sleeping ---- */

int epoll_wait(int handle, struct epoll_event* events, int most, int timeout) {
  static int (*next)(int, struct epoll_event*, int, int);
  if (next == NULL) next = real("epoll_wait");
  if (isAddon(__builtin_return_address(0))) {
    const int rule = draw(CALL_WAIT);
    if (fails(rule)) return -1;
    if (rule >= 0 && error(rule) == ODD_SPURIOUS) {
      count(rule);
      return 0;
    }
  }
  return next(handle, events, most, timeout);
}

/* ---- The way in ---- */

/* What an odd receive does to a datagram that came. */
static void spoil(int rule, struct msghdr* header, unsigned int* length) {
  count(rule);
  switch (error(rule)) {
    case ODD_TRUNCATED:
      header->msg_flags |= MSG_TRUNC;
      break;
    case ODD_EMPTY:
      *length = 0;
      break;
    case ODD_PORT_ZERO: {
      struct sockaddr_in* from = header->msg_name; /* the port is at the same place in IPv6 */
      if (from != NULL) from->sin_port = 0;
      break;
    }
    default:
      break;
  }
}

static int receiveMany(int (*next)(int, struct mmsghdr*, unsigned int, int, struct timespec*),
                       int handle, struct mmsghdr* headers, unsigned int most, int flags,
                       struct timespec* timeout) {
  const int rule = isUdp(handle) ? draw(CALL_RECEIVE) : -1;
  if (fails(rule)) return -1;
  const int taken = next(handle, headers, most, flags, timeout);
  if (rule >= 0 && taken > 0) spoil(rule, &headers[taken / 2].msg_hdr, &headers[taken / 2].msg_len);
  return taken;
}

int recvmmsg(int handle, struct mmsghdr* headers, unsigned int most, int flags,
             struct timespec* timeout) {
  static int (*next)(int, struct mmsghdr*, unsigned int, int, struct timespec*);
  if (next == NULL) next = real("recvmmsg");
  return receiveMany(next, handle, headers, most, flags, timeout);
}

ssize_t recvmsg(int handle, struct msghdr* header, int flags) {
  static ssize_t (*next)(int, struct msghdr*, int);
  if (next == NULL) next = real("recvmsg");
  const int rule = isUdp(handle) ? draw(CALL_RECEIVE) : -1;
  if (fails(rule)) return -1;
  const ssize_t taken = next(handle, header, flags);
  if (rule < 0 || taken <= 0) return taken;
  unsigned int length = (unsigned int)taken;
  spoil(rule, header, &length);
  return (ssize_t)length;
}

/* ---- The way out ---- */

static int sendMany(int (*next)(int, struct mmsghdr*, unsigned int, int), int handle,
                    struct mmsghdr* headers, unsigned int many, int flags) {
  const int rule = isUdp(handle) ? draw(CALL_SEND) : -1;
  if (fails(rule)) return -1;
  if (rule >= 0 && error(rule) == ODD_ZERO) {
    count(rule);
    return 0;
  }
  if (rule >= 0 && error(rule) == ODD_PARTIAL && many > 1) {
    count(rule);
    return next(handle, headers, (many + 1) / 2, flags);
  }
  return next(handle, headers, many, flags);
}

int sendmmsg(int handle, struct mmsghdr* headers, unsigned int many, int flags) {
  static int (*next)(int, struct mmsghdr*, unsigned int, int);
  if (next == NULL) next = real("sendmmsg");
  return sendMany(next, handle, headers, many, flags);
}

ssize_t sendmsg(int handle, const struct msghdr* header, int flags) {
  static ssize_t (*next)(int, const struct msghdr*, int);
  if (next == NULL) next = real("sendmsg");
  if (isUdp(handle) && fails(draw(CALL_SEND))) return -1;
  return next(handle, header, flags);
}

/* ---- Calls by number: libuv makes its batch calls so ---- */

static long (*nextSyscall)(long, ...);

static int receiveBySyscall(int handle, struct mmsghdr* headers, unsigned int most, int flags,
                            struct timespec* timeout) {
  return (int)nextSyscall(SYS_recvmmsg, handle, headers, most, flags, timeout);
}

static int sendBySyscall(int handle, struct mmsghdr* headers, unsigned int many, int flags) {
  return (int)nextSyscall(SYS_sendmmsg, handle, headers, many, flags);
}

long syscall(long number, ...) {
  if (nextSyscall == NULL) nextSyscall = real("syscall");
  long words[6];
  va_list arguments;
  va_start(arguments, number);
  for (int index = 0; index < 6; index++) words[index] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_recvmmsg) {
    return receiveMany(receiveBySyscall, (int)words[0], (struct mmsghdr*)words[1],
                       (unsigned int)words[2], (int)words[3], (struct timespec*)words[4]);
  }
  if (number == SYS_sendmmsg) {
    return sendMany(sendBySyscall, (int)words[0], (struct mmsghdr*)words[1], (unsigned int)words[2],
                    (int)words[3]);
  }
  return nextSyscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
