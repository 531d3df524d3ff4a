/* fuse DIRECTORY FILE   mounts a file system that has FILE by any name, and serves it until it is unmounted; "ready" once it does */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct stat file;

static void attributes(struct fuse_attr *attr, int is_root) {
  memset(attr, 0, sizeof *attr);
  attr->ino = is_root ? 1 : 2;
  attr->mode = is_root ? S_IFDIR | 0755 : S_IFREG | 0755;
  attr->nlink = 1;
  attr->size = is_root ? 0 : (unsigned long)file.st_size;
}

static void answer(int fd, unsigned long unique, int error, const void *data, size_t length) {
  struct fuse_out_header head = {.len = sizeof head + length, .error = error, .unique = unique};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)data, length}};
  if (writev(fd, parts, 2) < 0 && errno != ENOENT) perror("answer");
}

static char request[1 << 18], data[1 << 17];

/* Nothing is cached but pages, so each look at a file asks us (attr_valid 0). */
static void serve(int fd, int source) {
  struct fuse_in_header *in = (void *)request;
  void *body = request + sizeof *in;
  union {
    struct fuse_init_out init;
    struct fuse_entry_out entry;
    struct fuse_attr_out attr;
    struct fuse_open_out open;
    struct fuse_statfs_out statfs;
  } out = {0};
  switch (in->opcode) {
  case FUSE_INIT:
    out.init.major = FUSE_KERNEL_VERSION;
    out.init.minor = FUSE_KERNEL_MINOR_VERSION;
    out.init.max_readahead = 1 << 16;
    out.init.max_write = 1 << 16;
    answer(fd, in->unique, 0, &out.init, sizeof out.init);
    if (puts("ready") < 0 || fflush(stdout)) perror("ready");
    return;
  case FUSE_LOOKUP:
    out.entry.nodeid = 2;
    attributes(&out.entry.attr, 0);
    return answer(fd, in->unique, 0, &out.entry, sizeof out.entry);
  case FUSE_GETATTR:
    attributes(&out.attr.attr, in->nodeid == 1);
    return answer(fd, in->unique, 0, &out.attr, sizeof out.attr);
  case FUSE_OPEN: case FUSE_OPENDIR:
    return answer(fd, in->unique, 0, &out.open, sizeof out.open);
  case FUSE_READ: {
    struct fuse_read_in *read = body;
    ssize_t got = pread(source, data, read->size < sizeof data ? read->size : sizeof data, (off_t)read->offset);
    return answer(fd, in->unique, got < 0 ? -EIO : 0, data, got < 0 ? 0 : (size_t)got);
  }
  case FUSE_STATFS:
    return answer(fd, in->unique, 0, &out.statfs, sizeof out.statfs);
  case FUSE_RELEASE: case FUSE_RELEASEDIR: case FUSE_FLUSH: case FUSE_ACCESS:
    return answer(fd, in->unique, 0, 0, 0);
  case FUSE_FORGET: case FUSE_BATCH_FORGET: case FUSE_INTERRUPT:
    return;
  default:
    return answer(fd, in->unique, -ENOSYS, 0, 0);
  }
}

int main(int argc, char **argv) {
  char options[128];
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), source = argc == 3 ? open(argv[2], O_RDONLY) : -1;
  if (fd < 0 || source < 0 || fstat(source, &file)) { perror("open"); return 2; }
  snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", fd);
  if (mount("test", argv[1], "fuse", MS_NOSUID | MS_NODEV, options)) { perror("mount"); return 2; }
  while (read(fd, request, sizeof request) > 0) serve(fd, source);
  return 0;
}
