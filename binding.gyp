{
  # What users of a prebuild-less platform and this checkout's own scripts build (node-gyp).
  # CMakeLists.txt names the same sources; test/tidy holds both lists and the files on disk equal.
  # `npm run sources` writes the lists anew after a file came or went.
  "variables": {
    # 1: build netrt_probe too, which shows the core's functions to the unit tests. A checkout's scripts set it.
    "netrt_probe%": 0,
    # The static libsodium to link, with symbols hidden, or "" for the ciphers of Node's own OpenSSL.
    # Override: NETRT_SODIUM_ARCHIVE=none, or =/path/to/libsodium.a (see native/sodium.cjs).
    "netrt_sodium%": "<!(node native/sodium.cjs archive)",
    "netrt_sodium_include%": "<!(node native/sodium.cjs include)",
    # A sanitizer for developers, as in `--netrt_sanitize=address`.
    "netrt_sanitize%": "",
    "netrt_lto%": 1,
    "core_sources": [
      "native/core/acks.cc",
      "native/core/address.cc",
      "native/core/advance.cc",
      "native/core/block.cc",
      "native/core/bytes.cc",
      "native/core/channel.cc",
      "native/core/client.cc",
      "native/core/config.cc",
      "native/core/congestion.cc",
      "native/core/connection.cc",
      "native/core/delivery.cc",
      "native/core/demux.cc",
      "native/core/ending.cc",
      "native/core/evp.cc",
      "native/core/fetch.cc",
      "native/core/fill.cc",
      "native/core/fragment.cc",
      "native/core/frame.cc",
      "native/core/gap.cc",
      "native/core/handshake.cc",
      "native/core/hash.cc",
      "native/core/hkdf.cc",
      "native/core/host.cc",
      "native/core/layout.cc",
      "native/core/move.cc",
      "native/core/omit.cc",
      "native/core/pacing.cc",
      "native/core/packet.cc",
      "native/core/path.cc",
      "native/core/payload.cc",
      "native/core/plan.cc",
      "native/core/policy.cc",
      "native/core/queue.cc",
      "native/core/receive.cc",
      "native/core/repair.cc",
      "native/core/replay.cc",
      "native/core/ride.cc",
      "native/core/ring.cc",
      "native/core/rtt.cc",
      "native/core/seal.cc",
      "native/core/seam.cc",
      "native/core/sequence.cc",
      "native/core/session.cc",
      "native/core/settle.cc",
      "native/core/sip.cc",
      "native/core/slots.cc",
      "native/core/sodium.cc",
      "native/core/state.cc",
      "native/core/stats.cc",
      "native/core/submit.cc",
      "native/core/table.cc",
      "native/core/timers.cc",
      "native/core/token.cc",
      "native/core/transmit.cc",
      "native/core/window.cc",
      "native/core/wrap.cc"
    ],
    "io_sources": [
      "native/io/bell.cc",
      "native/io/clock.cc",
      "native/io/endpoint.cc",
      "native/io/fault.cc",
      "native/io/kernel.cc",
      "native/io/socket.cc",
      "native/io/spawn.cc",
      "native/io/thread.cc",
      "native/io/turn.cc",
      "native/io/waker.cc"
    ],
    "addon_sources": [
      "native/addon/addon.cc",
      "native/addon/arguments.cc",
      "native/addon/check.cc",
      "native/addon/instance.cc",
      "native/addon/wake.cc"
    ],
    "probe_sources": [
      "native/addon/probe.cc",
      "native/addon/probe_bench.cc",
      "native/addon/probe_codec.cc",
      "native/addon/probe_engine.cc",
      "native/addon/probe_frame.cc",
      "native/addon/probe_host.cc",
      "native/addon/probe_line.cc",
      "native/addon/probe_standin.cc"
    ]
  },
  "target_defaults": {
    "include_dirs": [
      "native",
      "<!(node -p \"require('node-addon-api').include_dir\")"
    ],
    "defines": [
      "NAPI_VERSION=9",
      "NAPI_DISABLE_CPP_EXCEPTIONS",
      "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ],
    "cflags": ["-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fvisibility-inlines-hidden"],
    # Node's own flags ask for gnu++17 or gnu++20; ours is standard C++17.
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
      "GCC_ENABLE_CPP_RTTI": "NO",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0"
    },
    "msvs_settings": {
      "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++17", "/GR-"] }
    },
    "conditions": [
      ["netrt_sodium!=''", {
        "defines": ["NETRT_SODIUM", "SODIUM_STATIC=1"],
        "include_dirs": ["<(netrt_sodium_include)"]
      }],
      ["netrt_sanitize!=''", {
        "cflags": ["-fsanitize=<(netrt_sanitize)", "-fno-omit-frame-pointer", "-g", "-O1"],
        "ldflags": ["-fsanitize=<(netrt_sanitize)"]
      }],
      # The core is small files that call each other for each byte: only the linker sees them together.
      # Fat objects, so that an `ar` without the plugin still links (then without this optimization).
      ["OS=='linux' and netrt_lto==1 and netrt_sanitize==''", {
        "cflags": ["-flto=auto", "-ffat-lto-objects"],
        "ldflags": ["-flto=auto", "-O3"]
      }]
    ]
  },
  "targets": [
    {
      "target_name": "netrt_core",
      "type": "static_library",
      "sources": ["<@(core_sources)"],
      "cflags": ["-fPIC"]
    },
    {
      "target_name": "netrt",
      "dependencies": ["netrt_core"],
      "sources": ["<@(addon_sources)", "<@(io_sources)"],
      "conditions": [
        ["OS=='linux'", { "ldflags": ["-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL", "-Wl,-z,now"] }],
        ["netrt_sodium!=''", { "libraries": ["<(netrt_sodium)"] }]
      ]
    }
  ],
  "conditions": [
    ["netrt_probe==1", {
      "targets": [
        {
          "target_name": "netrt_probe",
          "dependencies": ["netrt_core"],
          "sources": ["<@(probe_sources)"],
          "conditions": [
            ["OS=='linux'", { "ldflags": ["-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL", "-Wl,-z,now"] }],
            ["netrt_sodium!=''", { "libraries": ["<(netrt_sodium)"] }]
          ]
        }
      ]
    }]
  ]
}
