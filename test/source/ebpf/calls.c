// Makes system calls by their numbers, one a line of standard input, and prints "result errno" for each. A line is the number and up to six arguments,
// separated by tabs:
//   i<number>  a number            s<text>   a string           v<index>  the result of an earlier line
//   b<length>  a buffer            w<text>   a struct iovec with that text          h<flags>,<mode>  a struct open_how
//   o<number>  a pointer to a number, with room for 256 bytes                       a<line>,<index>  an argument that an earlier line was given
// The number "fault" stores a byte at the address of its argument.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINES_MAX 4096
#define LINE_LENGTH_MAX 32768

static long results[LINES_MAX];
static long given[LINES_MAX][6];

static long argument(char *word) {
  switch (word[0]) {
    case 'i':
      return strtol(word + 1, 0, 0);
    case 's':
      return (long)strdup(word + 1);
    case 'v':
      return results[strtol(word + 1, 0, 0)];
    case 'b': {
      size_t length = strtoul(word + 1, 0, 0);
      return (long)calloc(1, length + 1);
    }
    case 'w': {
      struct iovec *vector = malloc(sizeof(*vector));
      vector->iov_base = strdup(word + 1);
      vector->iov_len = strlen(word + 1);
      return (long)vector;
    }
    case 'h': {
      unsigned long long *how = calloc(3, sizeof(*how));
      char *end;
      how[0] = strtoull(word + 1, &end, 0);
      how[1] = strtoull(end + 1, 0, 0);
      return (long)how;
    }
    case 'o': {
      long long *number = calloc(1, 256);
      *number = strtoll(word + 1, 0, 0);
      return (long)number;
    }
  }
  if (word[0] == 'a') {
    char *end;
    long line = strtol(word + 1, &end, 0);
    return given[line][strtol(end + 1, 0, 0)];
  }
  fprintf(stderr, "bad argument %s\n", word);
  exit(2);
}

int main(void) {
  static char line[LINE_LENGTH_MAX];
  setvbuf(stdin, 0, _IOFBF, 1 << 16);
  for (int index = 0; index < LINES_MAX && fgets(line, sizeof(line), stdin); index++) {
    line[strcspn(line, "\n")] = 0;
    long arguments[6] = {0};
    char *rest = line, *number = strsep(&rest, "\t"), *word;
    for (int i = 0; i < 6 && (word = strsep(&rest, "\t")); i++) arguments[i] = argument(word);
    memcpy(given[index], arguments, sizeof(arguments));
    errno = 0;
    if (strcmp(number, "fault") == 0) {
      *(volatile char *)arguments[0] = 1;
    } else {
      results[index] = syscall(strtol(number, 0, 0), arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    }
    printf("%ld %d\n", results[index], errno);
  }
  return 0;
}
