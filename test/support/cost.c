/* cost KIND MIB [PROCS]   fills memory of one kind, prints the pid of the process that is to crash, and waits; it enters the
 * cgroup with this cgroup.procs before, and with `file` after it has written that
 *   alone alone-huge            of one process
 *   forked forked-huge          shared copy-on-write with a parent that lives on
 *   forked-split                huge pages, of which the worker wrote a little of each: mapped by small ones
 *   orphan orphan-split         the same, but the parent has ended
 *   file                        a mapped file, in the current folder, that the core holds and that is not in memory
 *   shared                      shared and anonymous, half of it touched
 *   hugetlb                     pages of the pool, half of them touched
 *   swapped merged              pushed out to swap; merged by KSM
 *   userfault                   half of it missing, and nobody brings it */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE (2ul << 20)
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static void check(int ok, const char *what) { if (!ok) { perror(what); exit(2); } }

static void enter(const char *procs)
{
	FILE *f = procs ? fopen(procs, "w") : 0;
	check(!procs || (f && fputs("0", f) > 0 && !fclose(f)), procs);
}

/* Begins on a huge page's boundary, and is of such pages or of none. */
static char *anonymous(size_t bytes, int huge)
{
	char *p = mmap(0, bytes + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(p != MAP_FAILED, "mmap");
	p = (char *)(((unsigned long)p + HUGE - 1) & ~(HUGE - 1));
	madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return p;
}

/* No two pages alike, none of them zero. */
static char *filled(char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 64) *(size_t *)(p + at) = at + 1;
	return p;
}

static void file(size_t bytes, const char *procs)
{
	char path[] = "cost-XXXXXX", *block = filled(anonymous(HUGE, 0), HUGE);
	int fd = mkstemp(path), filter = open("/proc/self/coredump_filter", O_WRONLY);
	check(fd >= 0 && !unlink(path) && write(filter, "0x3f", 4) == 4, path);
	for (size_t done = 0; done < bytes; done += HUGE) check(write(fd, block, HUGE) == HUGE, "write");
	check(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fsync");
	enter(procs);
	check(mmap(0, bytes, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap");
}

static void mapped(size_t bytes, int flags, size_t touched)
{
	char *p = mmap(0, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	check(p != MAP_FAILED, "mmap");
	filled(p, touched);
}

static void merged(size_t bytes)
{
	char *p = memset(anonymous(bytes, 0), 7, bytes);
	check(!madvise(p, bytes, MADV_MERGEABLE), "MADV_MERGEABLE");
	for (long shared = 0; shared < (long)(bytes >> 12) * 9 / 10; usleep(100000)) {
		FILE *f = fopen("/sys/kernel/mm/ksm/pages_sharing", "r");
		check(f && fscanf(f, "%ld", &shared) == 1, "ksm");
		fclose(f);
	}
}

static void userfault(size_t bytes)
{
	char *p = filled(anonymous(bytes, 0), bytes / 2);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .range = { (unsigned long)p, bytes }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	check(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &area), "userfaultfd");
}

static void wait_for_it(void)
{
	printf("%d\n", getpid());
	fflush(stdout);
	for (;;) pause();
}

static void forked(char *p, size_t bytes, int writes, int orphan)
{
	int ends[2], status;
	char none;
	check(!pipe(ends), "pipe");
	pid_t parent = getpid(), worker = fork();
	if (!worker) {
		/* khugepaged would put them together again, and charge a huge page for it, while the crash is at work */
		if (writes) madvise(p, bytes, MADV_NOHUGEPAGE);
		for (size_t at = 0; writes && at < bytes; at += HUGE) p[at + 5000] = 1;
		close(ends[0]); close(ends[1]);
		while (orphan && getppid() == parent) usleep(10000);
		wait_for_it();
	}
	close(ends[1]);
	if (read(ends[0], &none, 1) == 0 && orphan) _exit(0);
	waitpid(worker, &status, 0);
	for (;;) pause();
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "", *procs = argc > 3 ? argv[3] : 0;
	size_t bytes = (argc > 2 ? atol(argv[2]) : 1) << 20;
#define IS(name) (!strcmp(kind, name))
	if (!IS("file")) enter(procs);
	if (IS("alone") || IS("alone-huge")) filled(anonymous(bytes, IS("alone-huge")), bytes);
	else if (IS("forked") || IS("forked-huge")) forked(filled(anonymous(bytes, IS("forked-huge")), bytes), bytes, 0, 0);
	else if (IS("forked-split")) forked(filled(anonymous(bytes, 1), bytes), bytes, 1, 0);
	else if (IS("orphan")) forked(filled(anonymous(bytes, 0), bytes), bytes, 0, 1);
	else if (IS("orphan-split")) forked(filled(anonymous(bytes, 1), bytes), bytes, 1, 1);
	else if (IS("file")) file(bytes, procs);
	else if (IS("shared")) mapped(bytes, MAP_SHARED, bytes / 2);
	else if (IS("hugetlb")) mapped(bytes, MAP_PRIVATE | MAP_HUGETLB, bytes / 2);
	else if (IS("swapped")) madvise(filled(anonymous(bytes, 0), bytes), bytes, MADV_PAGEOUT);
	else if (IS("merged")) merged(bytes);
	else if (IS("userfault")) userfault(bytes);
	else return 2;
	wait_for_it();
}
