/* Crashes, one for each word of the command line. Each function of the chain is called once and not as a tail call, so that the
 * expected stacks (../cases.ts) can be written from this source. */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FN __attribute__((noinline, noclone)) static
#define SINK(x) __asm__ volatile("" : : "r"(x) : "memory")
static volatile int sink;
static void *volatile nothing;

#define CHAIN(caller, callee) \
  FN int caller(int depth) { int got = callee(depth + 1); SINK(got); sink = got; return got + depth; }

FN int deep8(int depth) { int got = *(volatile int *)nothing; SINK(got); return got + depth; }
CHAIN(deep7, deep8) CHAIN(deep6, deep7) CHAIN(deep5, deep6) CHAIN(deep4, deep5) CHAIN(deep3, deep4) CHAIN(deep2, deep3) CHAIN(deep1, deep2)

static int (*volatile target)(int);
FN int through(int depth) { int got = target(depth + 1); SINK(got); sink = got; return got; }
CHAIN(call_bad, through)

FN int aborts(int depth) { if (!nothing) abort(); return depth; }
CHAIN(call_abort, aborts)

FN int twice(int depth) { void *p = malloc(32); SINK(p); free(p); SINK(p); free(p); SINK(p); return depth; }
CHAIN(call_twice, twice)

FN int divides(int depth) { int got = depth / (int)(long)nothing; SINK(got); return got; }
CHAIN(call_divide, divides)

FN int traps(int depth) { if (!nothing) __builtin_trap(); return depth; }
CHAIN(call_trap, traps)

FN int varies(int depth) { char *room = alloca(100 + depth * 16); int room2[depth + 20]; SINK(room); SINK(room2); int got = deep8(depth); SINK(room2); SINK(room); return got; }
CHAIN(call_vla, varies)

FN int aligned(int depth) { _Alignas(64) char room[256]; SINK(room); int got = deep8(depth); SINK(room); return got; }
CHAIN(call_aligned, aligned)

FN int lengths(int depth) { size_t got = strlen((char *)16 + depth); SINK(got); sink = (int)got; return depth; }
CHAIN(call_strlen, lengths)

FN int copies(int depth) { static char from[8192]; memcpy((char *)8 + depth, from, 4096 + (size_t)depth); SINK(from); return depth; }
CHAIN(call_memcpy, copies)

FN int compare(const void *a, const void *b) { int got = *(volatile int *)nothing; SINK(got); return *(const int *)a - *(const int *)b + got; }
FN int sorts(int depth) { int all[16]; for (int i = 0; i < 16; i++) all[i] = (i * 7 + depth) % 16; qsort(all, 16, sizeof *all, compare); SINK(all); return all[3]; }
CHAIN(call_qsort, sorts)

FN int overflow(int depth) { volatile char room[512]; room[0] = (char)depth; int got = overflow(depth + 1); SINK(got); return got + room[0]; }
CHAIN(call_overflow, overflow)

FN int pong(int depth);
FN int ping(int depth) { volatile char room[300]; room[0] = (char)depth; int got = pong(depth + 1); SINK(got); return got + room[0]; }
FN int pong(int depth) { volatile char room[400]; room[0] = (char)depth; int got = ping(depth + 1); SINK(got); return got + room[0]; }
CHAIN(call_mutual, ping)

__attribute__((noreturn)) FN void dies(int code) { sink = *(volatile int *)nothing + code; for (;;) sink++; }
FN int last_call(int depth) { if (!nothing) dies(depth); return depth; }
CHAIN(call_noreturn, last_call)

FN int handles(int depth) { int got = *(volatile int *)((char *)nothing + 24); SINK(got); return got + depth; }
static void on_signal(int number) { int got = handles(number); SINK(got); sink = got; }
static void on_signal_again(int number) { signal(number, SIG_DFL); raise(number); sink = number; }
FN int interrupted(int depth) { int got = *(volatile int *)((char *)nothing + depth); SINK(got); return got; }
CHAIN(call_interrupted, interrupted)
static void install(void (*handler)(int), int flags) {
  struct sigaction action = {0};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGSEGV, &action, NULL);
}
FN int handler(int depth) { install(on_signal, SA_NODEFER | SA_RESETHAND); return call_interrupted(depth) + sink; }
FN int alternative(int depth) {
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  install(on_signal, SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
  return call_interrupted(depth) + sink;
}
FN int reraise(int depth) { install(on_signal_again, SA_NODEFER); return call_interrupted(depth) + sink; }
/* The signal is blocked in its handler: it comes once that has returned, at the instruction that failed first. */
FN int repend(int depth) { install(on_signal_again, 0); return call_interrupted(depth) + sink; }

FN int at_clock(int depth) { clock_gettime(CLOCK_MONOTONIC, (struct timespec *)(16L + depth)); sink = depth; return depth + sink; }
CHAIN(call_clock, at_clock)

static void *works(void *number) { if ((long)number == 25) { usleep(200000); sink = deep7(1); } else pause(); return number; }
FN int threads(int depth) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t ids[50];
  for (long i = 0; i < 50; i++) pthread_create(&ids[i], &attributes, works, (void *)i);
  pthread_join(ids[25], NULL);
  return depth + sink;
}
FN int leader(int depth) { pthread_t id; pthread_create(&id, NULL, works, (void *)25L); pthread_exit(NULL); return depth; }

FN int smashes(int depth) { char room[16]; SINK(room); memset(room, 0x41, 120 + (size_t)depth); SINK(room); return room[3]; }
CHAIN(call_smash, smashes)

FN int jumps(int depth) { ((void (*)(int))nothing)(depth); sink = depth; return depth + sink; }
CHAIN(call_null, jumps)

#if defined __x86_64__ || defined __i386__
/* Code that no table tells of: as a just-in-time compiler makes it, with the frame pointer kept and without. */
FN int generated(int depth, const unsigned char *code, size_t bytes) {
  unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, code, bytes);
  int got = ((int (*)(void *, int))page)((void *)deep8, depth);
  SINK(got);
  sink = got;
  return got;
}
#ifdef __x86_64__
static const unsigned char WITH_FP[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x40, 0x48, 0x89, 0xf8, 0x89, 0xf7, 0xff, 0xd0, 0x90, 0xc9, 0xc3};
static const unsigned char ASM_WITHOUT[] = {0x53, 0x48, 0x83, 0xec, 0x20, 0x48, 0x89, 0xf8, 0x89, 0xf7, 0xff, 0xd0, 0x48, 0x83, 0xc4, 0x20, 0x5b, 0xc3};
#else
static const unsigned char WITH_FP[] = {0x55, 0x89, 0xe5, 0x83, 0xec, 0x18, 0x8b, 0x45, 0x0c, 0x89, 0x04, 0x24, 0xff, 0x55, 0x08, 0x90, 0xc9, 0xc3};
static const unsigned char ASM_WITHOUT[] = {0x83, 0xec, 0x1c, 0x8b, 0x44, 0x24, 0x24, 0x89, 0x04, 0x24, 0xff, 0x54, 0x24, 0x20, 0x83, 0xc4, 0x1c, 0xc3};
#endif
FN int jit_fp(int depth) { int got = generated(depth, WITH_FP, sizeof WITH_FP); SINK(got); return got; }
FN int jit_bare(int depth) { int got = generated(depth, ASM_WITHOUT, sizeof ASM_WITHOUT); SINK(got); return got; }

/* Assembly without call frame information. */
int asm_fp(int depth);
int asm_bare(int depth);
__attribute__((used, noinline)) int from_asm(int depth) { int got = deep8(depth); SINK(got); sink = got; return got; }
#ifdef __x86_64__
__asm__(".text\n.type asm_fp,@function\nasm_fp: push %rbp\nmov %rsp,%rbp\nsub $48,%rsp\ncall from_asm\nleave\nret\n.size asm_fp,.-asm_fp\n"
        ".type asm_bare,@function\nasm_bare: push %rbx\nsub $32,%rsp\ncall from_asm\nadd $32,%rsp\npop %rbx\nret\n.size asm_bare,.-asm_bare\n");
#else
__asm__(".text\n.type asm_fp,@function\nasm_fp: push %ebp\nmov %esp,%ebp\nsub $24,%esp\nmov 8(%ebp),%eax\nmov %eax,(%esp)\ncall from_asm\nleave\nret\n.size asm_fp,.-asm_fp\n"
        ".type asm_bare,@function\nasm_bare: sub $28,%esp\nmov 32(%esp),%eax\nmov %eax,(%esp)\ncall from_asm\nadd $28,%esp\nret\n.size asm_bare,.-asm_bare\n");
#endif
FN int call_asm_fp(int depth) { int got = asm_fp(depth); SINK(got); sink = got; return got; }
FN int call_asm_bare(int depth) { int got = asm_bare(depth); SINK(got); sink = got; return got; }
#endif

FN int wild(int depth) { target = (int (*)(int))0x12345678L; return call_bad(depth) + sink; }
FN int badly(int depth) { target = (int (*)(int))0; return call_bad(depth) + sink; }

static const struct { const char *name; int (*run)(int); } CASES[] = {
    {"deep", deep1}, {"wild", wild}, {"null", badly}, {"jump", call_null}, {"abort", call_abort}, {"twice", call_twice}, {"divide", call_divide},
    {"trap", call_trap}, {"vla", call_vla}, {"aligned", call_aligned}, {"strlen", call_strlen}, {"memcpy", call_memcpy},
    {"qsort", call_qsort}, {"overflow", call_overflow}, {"mutual", call_mutual}, {"noreturn", call_noreturn}, {"handler", handler},
    {"alternative", alternative}, {"reraise", reraise}, {"repend", repend}, {"clock", call_clock}, {"threads", threads}, {"leader", leader}, {"smash", call_smash},
#if defined __x86_64__ || defined __i386__
    {"jit_fp", jit_fp}, {"jit_bare", jit_bare}, {"asm_fp", call_asm_fp}, {"asm_bare", call_asm_bare},
#endif
};

int main(int count, char **words) {
  for (size_t i = 0; count > 1 && i < sizeof CASES / sizeof *CASES; i++) {
    if (strcmp(words[1], CASES[i].name) != 0) continue;
    int got = CASES[i].run(count);
    printf("%d\n", got);
    return 3;
  }
  return 2;
}
