/**
 * Functions that stand at the top of many stacks without being what went wrong, and those that every stack ends with. Their names
 * depend on what was stripped, so modules of run-time libraries count whatever their functions are called.
 */

/** On its way from the fault to the signal: aborts, checks, allocators, copying; by names without arguments. */
const LEADING = new RegExp(
  [
    "_*(raise|gsignal|abort|kill|tkill|tgkill|exit|_exit|pthread_kill(_implementation|_internal)?|libc_message(_impl|_wrapper)?|libc_fatal)",
    "_*(restore_sigs|block_app_sigs|syscall|syscall_cancel(_arch)?|internal_syscall_cancel|_?kernel_(rt_)?sigreturn|kernel_vsyscall|restore_rt|restore)",
    "_*assert(_fail|_fail_base|_perror_fail)?|_*assert_fail\\w*",
    "_*(stack_chk_fail|stack_chk_fail_local|fortify_fail(_abort)?|chk_fail|\\w+_chk)",
    "_*(libc_)?(malloc|free|calloc|realloc|memalign|malloc_usable_size|cfree|reallocarray|posix_memalign|aligned_alloc)",
    "_*int_(malloc|free|realloc|memalign|free_\\w+)|malloc_\\w+|unlink_chunk(_\\w+)?|sysmalloc|tcache_\\w+|_*libc_(malloc|free)\\w*|get_meta|alloc_(slot|group)|nontrivial_free|default_malloc|free_group",
    "_*(mem|str|wcs|wmem)(n?cpy|p?cpy|move|set|chr|rchr|n?len|n?cmp|n?cat|str|pbrk|spn|cspn|tok|mem|dup|ndup|casecmp|ncasecmp|coll)\\w*",
    "_*(mem|str|wcs|wmem)\\w+_(avx|avx2|evex|evex512|sse2|sse4|ssse3|erms|rtm|unaligned|generic|sve|simd|neon|asimd|aarch64)\\w*",
    "std::(_*terminate|unexpected|abort|__throw_\\w+|__1::\\w*throw\\w*|rethrow_exception)|std::__glibcxx_assert_fail|std::__replacement_assert",
    "__cxa_\\w+|__cxxabiv1::\\w+|__gxx_\\w+|_Unwind_\\w+|__gnu_cxx::__verbose_terminate_handler|__clang_call_terminate|uw_\\w+",
    "rust_(panic|begin_unwind|eh_personality)\\w*|__rust_\\w+|__rg_oom|(core|std|alloc)::(panicking|panic|rt|process|alloc|sys|sys_common|raw_vec|backtrace)::.*|std::process::abort",
    "core::(option|result)::(unwrap_failed|expect_failed|expect_none_failed)|core::(slice|str)::(index::)?\\w*(fail|error)\\w*|core::cell::panic_\\w+|(core|alloc)::.*::(panic\\w*|do_panic::runtime)",
    "(core::option::Option|core::result::Result)(<.*>)?::(unwrap|expect|unwrap_err|expect_err)|core::intrinsics::abort|core::ops::function::\\w+::call_once",
    "runtime\\..*|runtime/.*|internal/(runtime|bytealg|abi|race)\\S*",
    "VMError::.*|os::(abort|die)|node::(Abort|Assert|OnFatalError|DumpNativeBacktrace|FatalException|TriggerUncaughtException).*|v8::(base::OS::Abort|internal::V8_Fatal|Utils::ReportApiFailure).*|V8_Fatal",
    "_*(fatal_error|Py_FatalError\\w*|fatal_error_exit|_?faulthandler\\w*)",
  ]
    .map((each) => `^(${each})$`)
    .join("|"),
);

/**
 * Where a language's own failure begins: what lies between it and the signal (handlers and hooks of the program, too) is on its way there.
 */
const FAILING =
  /^(core::panicking::\w+|std::panicking::(begin_panic|rust_panic|panic_handler)\w*|(__rustc::)?rust_begin_unwind|core::(option|result)::\w+_failed|runtime\.(gopanic|panic\w*|sigpanic|throw|fatal)|std::terminate|__cxxabiv1::__terminate|__cxa_(throw|rethrow|pure_virtual)|__assert_fail|__GI___assert_fail|malloc_printerr)$/;

/** Below everything that a programmer wrote. */
const TRAILING = new RegExp(
  [
    "_start|_*libc_start_\\w+|libc_start_main_stage2|_*libc_start_call_main|generic_start_main|_dl_start_user|start_c|_start_c",
    "start_thread|start|_*clone\\d*|clone_\\w+|thread_start|execute_native_thread_routine(_compat)?",
    "std::rt::.*|std::sys::.*|std::sys_common::.*|core::ops::function::(FnOnce|FnMut|Fn)::.*|std::panic(king)?::.*|__rust_(try|begin_short_backtrace|end_short_backtrace).*|std::thread::.*|<(alloc::boxed::Box|core::panic::unwind_safe)\\b.*",
    "runtime\\.(main|goexit|rt0_go|mstart\\w*|mcall|systemstack\\w*|goexit1).*|_rt0_\\w+",
  ]
    .map((each) => `^(${each})$`)
    .join("|"),
);

/** Libraries of the run-time: which of their functions are named depends on how they were stripped. */
const RUNTIME_MODULE =
  /^(libc|ld|libpthread|libstdc\+\+|libc\+\+|libc\+\+abi|libgcc_s|libdl|librt|libm|libunwind|ld-linux[\w-]*|ld-musl-\w+|ld64|libc\.musl-\w+)([-.]\S*)?\.so\b|^\[vdso\]$|^ld-musl|^libc\.musl/;

/** Python itself, the modules in C that come with it, and what they call functions of C with. */
const INTERPRETER = /\/lib-dynload\/[^/]*$|(^|\/)(python\d?(\.\d+)?\w*|libpython\d[^/]*|libffi[.-][^/]*)$/;

/** @param name without arguments, as `plainName()` makes it */
export const isLeading = (name: string): boolean => name.length <= 512 && LEADING.test(name);
/** Functions of the C library that call the program's own: in a static program no module tells. */
const RUNTIME =
  /^_*(libc_)?(qsort(_r)?|bsearch|lfind|msort_with_tmp(\.\w+)*|indirect_msort_with_tmp|quicksort|sift|trinkle|smoothsort|heapsort_r|introsort_r|insertion_qsort_partitions|pthread_once\w*|clock_gettime|vdso_clock_gettime|gettimeofday|time)$/;

export const isRuntimeName = (name: string): boolean => name.length <= 64 && RUNTIME.test(name);
export const isFailing = (name: string): boolean => name.length <= 512 && FAILING.test(name);
export const isTrailing = (name: string): boolean => name.length <= 512 && TRAILING.test(name);

export const isRuntimeModule = (path: string): boolean =>
  RUNTIME_MODULE.test(path.replace(/ \(deleted\)$/, "").replace(/^.*\//, ""));

/** Beside the frames of the Python functions that they run, theirs say nothing about a bug. */
export const isInterpreter = (path: string): boolean => INTERPRETER.test(path.replace(/ \(deleted\)$/, ""));
