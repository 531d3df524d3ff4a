/* Crashes below three functions, after something that makes its stack hard to read. See main(). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) static int inner(volatile int *at) { return at[6] + 1; }
__attribute__((noinline)) static int middle(volatile int *at) { return inner(at) + 2; }
__attribute__((noinline)) static int outer(volatile int *at) { return middle(at) + 3; }

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(2);
}

/* So many libraries: DIRECTORY/0.so … */
static void libraries(const char *directory, int count) {
  char path[4096];
  for (int n = 0; n < count; n++) {
    snprintf(path, sizeof path, "%s/%d.so", directory, n);
    must(dlopen(path, RTLD_NOW) != NULL, path);
  }
}

/* A file's first megabyte as code. */
static void code(const char *path) {
  int fd = open(path, O_RDONLY);
  must(fd >= 0 && mmap(NULL, 1 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED, path);
}

/* Other bytes in the file that another program maps. */
static void overwrite(const char *path) {
  static char garbage[64 << 10];
  memset(garbage, 0x90, sizeof garbage);
  int fd = open(path, O_RDWR);
  must(fd >= 0 && pwrite(fd, garbage, sizeof garbage, 4096) == sizeof garbage, path);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "", *value = argc > 2 ? argv[2] : "";
  if (!strcmp(what, "libraries")) libraries(value, atoi(argv[3]));
  else if (!strcmp(what, "code")) code(value);
  else if (!strcmp(what, "unlink")) must(unlink(value) == 0, value);
  else if (!strcmp(what, "overwrite")) libraries(value, 1), overwrite(argv[3]);
  else if (!strcmp(what, "wait")) must(puts("ready") >= 0 && fflush(stdout) == 0 && getchar() >= 0, "wait");
  return outer(NULL);
}
