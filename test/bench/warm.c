/* warm MIB CMD…   runs CMD; when it says that it is ready, first touches and frees MIB of memory, then passes that on
 *
 * A virtual machine gives memory that it does not use back to its host, within seconds; getting it again costs up to 3 s
 * a GB, inside the write of whoever comes next. Huge pages, because that is what is given back. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int ends[2];
	char word[64];
	if (argc < 3 || pipe(ends)) return 2;
	size_t bytes = strtoull(argv[1], 0, 10) << 20;
	if (fork()) { /* the parent, so that whoever kills CMD kills CMD */
		dup2(ends[1], 1);
		close(ends[0]); close(ends[1]);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	close(ends[1]);
	ssize_t length = read(ends[0], word, sizeof word);
	char *memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (length <= 0 || memory == MAP_FAILED) return 1;
	madvise(memory, bytes, MADV_HUGEPAGE); /* a kernel without them gives small ones: better than none */
	for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
	munmap(memory, bytes);
	return write(1, word, length) != length;
}
