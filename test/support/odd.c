/* Programs that lie about themselves, or are odd, before they crash. See the table at the end; `compiled("odd")` builds it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void crash(void) {
  signal(SIGSEGV, SIG_DFL);
  *(volatile int *)0xdead = 1;
}

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(2);
}

/* Fields of /proc/self/stat by their numbers in proc_pid_stat(5). */
static unsigned long stat_field(int number) {
  static char text[4096];
  FILE *file = fopen("/proc/self/stat", "r");
  must(file != NULL, "stat");
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  char *at = strrchr(text, ')') + 2;
  for (int field = 3; field < number; field++) at = strchr(at, ' ') + 1;
  return strtoul(at, NULL, 10);
}

/* The arguments are said to be some MiB of memory that was never touched. */
static void cmdline(long mib) {
  size_t length = (size_t)mib << 20;
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  must(memory != MAP_FAILED, "mmap");
  unsigned long start = (unsigned long)memory, end = start + length;
  struct prctl_mm_map map = {
      .start_code = stat_field(26), .end_code = stat_field(27), .start_data = stat_field(45),
      .end_data = stat_field(46),   .start_brk = stat_field(47), .brk = (unsigned long)sbrk(0),
      .start_stack = stat_field(28), .arg_start = start,         .arg_end = end,
      .env_start = end,             .env_end = end,              .exe_fd = (__u32)-1,
  };
  must(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0, "PR_SET_MM_MAP");
}

/* So many mappings of a file whose path has some 4 kB, below the current directory. */
static void maps(long count) {
  char name[251];
  memset(name, 'a', 250);
  name[250] = 0;
  for (int depth = 0; depth < 15; depth++) {
    mkdir(name, 0755);
    must(chdir(name) == 0, "chdir");
  }
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  must(fd >= 0 && ftruncate(fd, 1 << 20) == 0, "f");
  for (long n = 0; n < count; n++) /* of places that are not neighbours: they would be joined */
    if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, n % 2 * 8192) == MAP_FAILED) break;
}

static void *named(void *number) {
  char name[16];
  snprintf(name, sizeof name, "worker-%ld", (long)number);
  pthread_setname_np(pthread_self(), name);
  return NULL;
}

static void *idle(void *number) {
  named(number);
  for (;;) pause();
  return NULL;
}

static void *dies(void *number) {
  named(number);
  usleep(300000);
  crash();
  return NULL;
}

/* So many threads besides the first, of which the last one crashes. */
static void threads(long count) {
  pthread_attr_t small;
  pthread_t thread;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (long n = 1; n <= count; n++)
    must(pthread_create(&thread, &small, n < count ? idle : dies, (void *)n) == 0, "pthread_create");
  for (;;) pause();
}

static void filter(const char *value) {
  int fd = open("/proc/self/coredump_filter", O_WRONLY);
  must(fd >= 0 && write(fd, value, strlen(value)) > 0, "coredump_filter");
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "", *value = argc > 2 ? argv[2] : "0";
  if (!strcmp(what, "cmdline")) cmdline(atol(value));
  else if (!strcmp(what, "maps")) maps(atol(value));
  else if (!strcmp(what, "threads")) threads(atol(value));
  else if (!strcmp(what, "filter")) filter(value);
  else if (!strcmp(what, "comm")) prctl(PR_SET_NAME, value);
  else if (!strcmp(what, "unlinked")) must(unlink(value) == 0, value);
  else must(!strcmp(what, "crash"), "cmdline MIB | maps COUNT | threads COUNT | filter MASK | comm NAME | unlinked FILE | crash");
  crash();
  return 1;
}
