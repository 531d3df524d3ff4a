/* memory SHAPE   crashes with one kind of memory that is copied in a way of its own
 *   dontdump prot-none shared memfd huge truncated zeros
 *   file MIB   a mapped file that the core holds and that is not in memory (coredump_filter)
 *   forked (shared copy-on-write with a process that lives on)
 *   vanishing PATH (another process has the same memory, and takes half of it away when PATH is there; it makes PATH.done)
 *   mappings N   threads N   userfault (a page that nobody ever brings) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB (1ul << 20)
#define PAGE 4096ul

static void check(int ok, const char *what) { if (!ok) { perror(what); exit(2); } }

static unsigned char *map(size_t bytes, int flags, int fd)
{
	unsigned char *p = mmap(0, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	check(p != MAP_FAILED, "mmap");
	return p;
}

static unsigned char *filled(unsigned char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) p[i] = (i * 2654435761u) >> 13;
	return p;
}

static unsigned char *anonymous(size_t bytes) { return map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

static int temporary(size_t bytes)
{
	char path[] = "/tmp/cd-memory-XXXXXX";
	int fd = mkstemp(path);
	check(fd >= 0 && !unlink(path) && !ftruncate(fd, bytes), path);
	return fd;
}

static void dump_files_too(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY);
	check(write(fd, "0x3f", 4) == 4, "coredump_filter");
}

static void file(size_t bytes)
{
	static unsigned char block[MIB];
	int fd = temporary(0);
	filled(block, MIB);
	for (size_t done = 0; done < bytes; done += MIB) check(write(fd, block, MIB) == MIB, "write");
	dump_files_too();
	map(bytes, MAP_PRIVATE, fd);
}

/* Half of the mapping lies behind the end of its file: touching it is SIGBUS. */
static void truncated(void)
{
	int fd = temporary(8 * PAGE);
	unsigned char *p = filled(map(8 * PAGE, MAP_PRIVATE, fd), 8 * PAGE);
	check(!ftruncate(fd, 4 * PAGE), "ftruncate");
	p[0] = 1;
}

static void mappings(long count)
{
	unsigned char *p = filled(anonymous(2 * count * PAGE), 2 * count * PAGE);
	for (long i = 0; i < count; i++) check(!mprotect(p + 2 * i * PAGE, PAGE, PROT_READ), "mprotect");
}

static void *wait_for_ever(void *none) { for (;;) pause(); return none; }

static void threads(long count)
{
	pthread_attr_t small;
	pthread_t t;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	while (count-- > 0) check(!pthread_create(&t, &small, wait_for_ever, 0), "pthread_create");
}

static void userfault(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	unsigned char *p = anonymous(4 * MIB);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .range = { (unsigned long)p, 4 * MIB }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	filled(p, MIB);
	check(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &area), "userfaultfd");
	/* Present pages round absent ones, so that the absent ones are read with them. */
	struct uffdio_zeropage one = { .range = { (unsigned long)p + 2 * MIB, PAGE } };
	check(!ioctl(fd, UFFDIO_ZEROPAGE, &one), "zeropage");
	one.range.start += 4 * PAGE;
	check(!ioctl(fd, UFFDIO_ZEROPAGE, &one), "zeropage");
}

/* Small pages, huge ones, and huge ones that are mapped by small ones. */
static void forked(void)
{
	unsigned char *p = filled(anonymous(16 * MIB), 8 * MIB);
	char none;
	int ends[2];
	madvise(p + 8 * MIB, 8 * MIB, MADV_HUGEPAGE);
	filled(p + 8 * MIB, 8 * MIB);
	check(!pipe(ends), "pipe");
	if (fork() == 0) {
		close(ends[1]);
		_exit(read(ends[0], &none, 1)); /* until the other has ended */
	}
	for (size_t at = 0; at < 14 * MIB; at += 3 * MIB) p[at] = 1;
}

#define VANISHING (160 * MIB)
static unsigned char *vanishing;

static int take_away(void *path)
{
	char done[300];
	for (int left = 6000; access(path, F_OK); usleep(10000))
		if (--left == 0) _exit(1); /* whoever started us is gone */
	check(!madvise(vanishing + VANISHING / 2, VANISHING / 2, MADV_DONTNEED), "madvise");
	snprintf(done, sizeof done, "%s.done", (char *)path);
	check(!rename(path, done), "rename");
	while (!access(done, F_OK)) usleep(10000);
	_exit(0);
}

/* Its pages come back only from a userfaultfd that nobody reads. The other process is not ended with us since Linux 5.16. */
static void vanish(char *path)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	vanishing = anonymous(VANISHING);
	madvise(vanishing, VANISHING, MADV_NOHUGEPAGE);
	struct uffdio_register area = { .range = { (unsigned long)vanishing, VANISHING }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	filled(vanishing, VANISHING);
	check(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &area), "userfaultfd");
	check(clone(take_away, anonymous(MIB) + MIB, CLONE_VM | SIGCHLD, path) > 0, "clone");
}

int main(int argc, char **argv)
{
	const char *shape = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
#define IS(name) (!strcmp(shape, name))
	if (IS("dontdump")) madvise(filled(anonymous(MIB), MIB), MIB, MADV_DONTDUMP);
	else if (IS("prot-none")) mprotect(filled(anonymous(MIB), MIB), MIB, PROT_NONE);
	else if (IS("shared")) filled(map(MIB, MAP_SHARED | MAP_ANONYMOUS, -1), MIB / 2);
	else if (IS("memfd")) {
		int fd = memfd_create("a (deleted)\n[heap]", 0);
		check(!ftruncate(fd, MIB), "memfd");
		filled(map(MIB, MAP_SHARED, fd), MIB / 2);
		filled(map(MIB, MAP_PRIVATE, fd), PAGE);
	} else if (IS("huge")) {
		unsigned char *p = anonymous(16 * MIB);
		madvise(p, 16 * MIB, MADV_HUGEPAGE);
		filled(p + 3 * MIB, MIB);
		filled(p + 9 * MIB, 100);
	} else if (IS("zeros")) memset(anonymous(MIB), 0, MIB);
	else if (IS("truncated")) truncated();
	else if (IS("file")) file(n * MIB);
	else if (IS("mappings")) mappings(n);
	else if (IS("threads")) threads(n);
	else if (IS("userfault")) userfault();
	else if (IS("forked")) forked();
	else if (IS("vanishing")) vanish(argv[2]);
	else return 2;
	*(volatile int *)0xdead = 1;
}
