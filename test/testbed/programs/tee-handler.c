/* |FOLDER/tee ARGUMENTS…   a core_pattern handler that shows another handler a crash whose core is already known.
 *
 * FOLDER is the folder of the name it is called by (a symbolic link: a pattern holds 127 bytes, so nothing is
 * said twice); FOLDER/handler holds the other handler's command, one argument a line; the kernel's arguments
 * are added to it. The whole stream is saved first as P.core, with the crashed process held, then fed to the
 * handler through a new pipe. The process is let go when the handler closes its descriptor 0, as the kernel would.
 * Leaves in FOLDER (P is the pid of an argument -P=): P.core P.args P.cgroup P.stdout P.stderr, and at last P.exit:
 * the handler's exit status, or 128 + its signal. Needs core_pipe_limit > 0. Descriptors such as %F's pass through. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[PATH_MAX];
static const char *pid = "unknown";

static int in_folder(const char *what, int flags)
{
	char path[PATH_MAX + 64];
	snprintf(path, sizeof path, "%s/%s.%s", folder, pid, what);
	return open(path, flags | O_CLOEXEC, 0600);
}

/* All of FROM into TO; -1 and errno when either end gives up. */
static int copy(int from, int to)
{
	static char buffer[1 << 20];
	for (ssize_t n; (n = read(from, buffer, sizeof buffer)) != 0;) {
		if (n < 0) return -1;
		for (ssize_t done = 0, w; done < n; done += w)
			if ((w = write(to, buffer + done, n - done)) < 0) return -1;
	}
	return 0;
}

static void note(const char *what, char **lines)
{
	int fd = in_folder(what, O_CREAT | O_WRONLY | O_TRUNC);
	for (; *lines; lines++) dprintf(fd, "%s\n", *lines);
	close(fd);
}

static void save(const char *what, int from)
{
	int fd = in_folder(what, O_CREAT | O_WRONLY | O_TRUNC);
	if (fd < 0 || copy(from, fd)) _exit(70);
	close(fd);
}

/* The lines of FOLDER/handler, then the kernel's arguments. */
static char **command(char **arguments)
{
	static char text[4096], *argv[256];
	char path[PATH_MAX + 16];
	int n = 0;
	snprintf(path, sizeof path, "%s/handler", folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) _exit(71);
	close(fd);
	for (char *line = strtok(text, "\n"); line && n < 200; line = strtok(0, "\n")) argv[n++] = line;
	for (; *arguments && n < 255; arguments++) argv[n++] = *arguments;
	return argv;
}

/* Returns when the handler runs, so that its descriptor 0 can be watched. */
static pid_t start(char **argv, int in)
{
	int running[2];
	if (pipe2(running, O_CLOEXEC)) _exit(74);
	pid_t child = fork();
	if (child) {
		close(running[1]);
		(void)!read(running[0], (char[1]){ 0 }, 1);
		close(running[0]);
		return child;
	}
	signal(SIGPIPE, SIG_DFL);
	int out = in_folder("stdout", O_CREAT | O_WRONLY | O_TRUNC);
	int err = in_folder("stderr", O_CREAT | O_WRONLY | O_TRUNC);
	dup2(in, 0); dup2(out, 1); dup2(err, 2);
	execv(argv[0], argv);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Whether the child still has this pipe as its descriptor 0. */
static int still_reads(pid_t child, const struct stat *pipe)
{
	char path[64];
	struct stat now;
	snprintf(path, sizeof path, "/proc/%d/fd/0", child);
	return stat(path, &now) == 0 && now.st_ino == pipe->st_ino && now.st_dev == pipe->st_dev;
}

int main(int argc, char **argv)
{
	/* The kernel leaves 1 and 2 closed: nothing opened here may become one of them. */
	for (int fd = 1; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return 72;
	snprintf(folder, sizeof folder, "%s", argv[0]);
	dirname(folder);
	for (int i = 1; i < argc; i++) if (!strncmp(argv[i], "-P=", 3)) pid = argv[i] + 3;
	signal(SIGPIPE, SIG_IGN);

	char path[64];
	snprintf(path, sizeof path, "/proc/%s/cgroup", pid);
	int cgroup = open(path, O_RDONLY | O_CLOEXEC);
	if (cgroup >= 0) { save("cgroup", cgroup); close(cgroup); }
	note("args", argv + 1);
	save("core", 0);

	int ends[2], status;
	struct stat pipe;
	if (pipe2(ends, O_CLOEXEC) || fstat(ends[0], &pipe)) return 73;
	pid_t child = start(command(argv + 1), ends[0]);
	close(ends[0]);
	int core = in_folder("core", O_RDONLY);
	copy(core, ends[1]); /* EPIPE: the handler has seen enough */
	close(ends[1]);
	while (still_reads(child, &pipe)) usleep(500);
	close(0); /* lets the crashed process go */
	waitpid(child, &status, 0);

	char code[16], temporary[PATH_MAX + 64], final[PATH_MAX + 64];
	snprintf(code, sizeof code, "%d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	note("exit.part", (char *[]){ code, 0 });
	snprintf(temporary, sizeof temporary, "%s/%s.exit.part", folder, pid);
	snprintf(final, sizeof final, "%s/%s.exit", folder, pid);
	return rename(temporary, final);
}
