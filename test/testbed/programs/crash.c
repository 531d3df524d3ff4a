/* crash [-w] [-x] [-s SIGNAL] [-u UID] [-n COMM] [-l RLIMIT_CORE] [MIB [THREADS [SPARSE_MIB]]]
 *
 * Fills MIB (default 1, 0 for none) of memory, every page another, a quarter of it random; maps SPARSE_MIB more and
 * touches one page in every 16 MiB of them; starts THREADS named worker-1 … and faults in the first of
 * them, or in the main thread when there is none, always in crash_here().
 *   -w  print "ready" and wait for a deadly signal instead       -s  raise SIGNAL instead of faulting
 *   -x  the main thread exits first: /proc/PID has no memory then  -u  change the user id: no longer dumpable
 *   -n  thread name (comm), any bytes                              -l  soft RLIMIT_CORE in bytes */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int wait_only, leader_exits, deadly_signal;
static const char *comm;
static pthread_barrier_t all_started;

static void *map(size_t mib)
{
	void *p = mmap(0, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) { perror("mmap"); exit(2); }
	return p;
}

static void fill(size_t mib)
{
	if (!mib) return;
	uint64_t x = 88172645463325252ull, *p = map(mib);
	for (size_t i = 0; i < (mib << 20) / 8; i++) {
		if (i % 512 < 128) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; p[i] = x; }
		else p[i] = i;
	}
}

static void touch_some(size_t mib)
{
	char *p = map(mib);
	for (size_t i = 0; i < mib << 20; i += 16 << 20) p[i] = 1;
}

__attribute__((noinline)) static void crash_here(void)
{
	if (deadly_signal) raise(deadly_signal);
	else *(volatile int *)0xdead = 1;
}

_Noreturn static void end(void)
{
	if (comm) prctl(PR_SET_NAME, comm);
	if (wait_only) { puts("ready"); fflush(stdout); }
	else crash_here();
	for (;;) pause();
}

static void *worker(void *number)
{
	char name[16];
	snprintf(name, sizeof name, "worker-%ld", (long)number);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&all_started);
	if ((long)number == 1) {
		if (leader_exits) usleep(100000); /* the leader's exit has no other sign than time */
		end();
	}
	for (;;) pause();
	return 0;
}

static void limit_core(rlim_t bytes)
{
	struct rlimit limit;
	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = bytes;
	if (setrlimit(RLIMIT_CORE, &limit)) { perror("setrlimit"); exit(2); }
}

int main(int argc, char **argv)
{
	for (int o; (o = getopt(argc, argv, "wxs:u:n:l:")) != -1;) switch (o) {
		case 'w': wait_only = 1; break;
		case 'x': leader_exits = 1; break;
		case 's': deadly_signal = atoi(optarg); break;
		case 'u': if (setuid(atoi(optarg))) { perror("setuid"); return 2; } break;
		case 'n': comm = optarg; break;
		case 'l': limit_core(strtoull(optarg, 0, 10)); break;
		default: return 2;
	}
	argv += optind; argc -= optind;
	long threads = argc > 1 ? atol(argv[1]) : leader_exits;
	fill(argc > 0 ? atol(argv[0]) : 1);
	if (argc > 2) touch_some(atol(argv[2]));
	if (!threads) end();
	pthread_barrier_init(&all_started, 0, threads + 1);
	for (long i = 1; i <= threads; i++) {
		pthread_t t;
		if ((errno = pthread_create(&t, 0, worker, (void *)i))) { perror("pthread_create"); return 2; }
	}
	pthread_barrier_wait(&all_started);
	if (leader_exits) pthread_exit(0);
	for (;;) pause();
}
