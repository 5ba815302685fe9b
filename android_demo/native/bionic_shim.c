/* What Android's C library has and the desktop's lacks or lays out differently.
 *
 * TensorFlow Lite's libraries for Android run on a desktop when these few functions stand behind
 * them (see bridge.sh). Names that both C libraries have, with different meanings, get the prefix
 * bionic_ by renamed_symbols.txt. Nothing here touches the computation. */
#define _GNU_SOURCE
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* bionic's stdin, stdout and stderr: three structures of 152 bytes in one array. */
enum { BIONIC_FILE_BYTES = 152 };
char __sF[3 * BIONIC_FILE_BYTES];

static FILE *stream_of(void *file) {
  char *address = file;
  if (address < __sF || address >= __sF + sizeof __sF) return file;
  switch ((address - __sF) / BIONIC_FILE_BYTES) {
    case 0: return stdin;
    case 1: return stdout;
    default: return stderr;
  }
}

int *__errno(void) { return &errno; }

int __android_log_vprint(int priority, const char *tag, const char *format, va_list arguments) {
  (void)priority;
  fprintf(stderr, "%s: ", tag);
  int written = vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  return written;
}

int __android_log_print(int priority, const char *tag, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = __android_log_vprint(priority, tag, format, arguments);
  va_end(arguments);
  return written;
}

int __android_log_write(int priority, const char *tag, const char *text) {
  (void)priority;
  return fprintf(stderr, "%s: %s\n", tag, text);
}

int __system_property_get(const char *name, char *value) {
  (void)name;
  value[0] = 0;
  return 0;
}

void android_set_abort_message(const char *text) { fprintf(stderr, "abort: %s\n", text); }

size_t __strlen_chk(const char *text, size_t limit) {
  (void)limit;
  return strlen(text);
}

int bionic_fprintf(void *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = vfprintf(stream_of(file), format, arguments);
  va_end(arguments);
  return written;
}

int bionic_vfprintf(void *file, const char *format, va_list arguments) {
  return vfprintf(stream_of(file), format, arguments);
}

int bionic_fputc(int character, void *file) { return fputc(character, stream_of(file)); }

size_t bionic_fwrite(const void *from, size_t size, size_t count, void *file) {
  return fwrite(from, size, count, stream_of(file));
}

int bionic_fflush(void *file) { return fflush(file ? stream_of(file) : NULL); }

int bionic_fileno(void *file) { return fileno(stream_of(file)); }

/* The same questions have other numbers. */
long bionic_sysconf(int name) {
  switch (name) {
    case 0x27: /* _SC_PAGESIZE */
    case 0x28: /* _SC_PAGE_SIZE */
      return sysconf(_SC_PAGESIZE);
    case 0x60: return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return sysconf(_SC_NPROCESSORS_ONLN);
    default:
      fprintf(stderr, "bionic_shim: sysconf(%#x) is not known\n", name);
      errno = EINVAL;
      return -1;
  }
}

extern int __xpg_strerror_r(int, char *, size_t);

int bionic_strerror_r(int error, char *text, size_t size) {
  return __xpg_strerror_r(error, text, size);
}

/* The masks differ; every locale that is asked for is the C locale. */
locale_t bionic_newlocale(int mask, const char *name, locale_t base) {
  (void)mask;
  (void)name;
  (void)base;
  return newlocale(LC_ALL_MASK, "C", NULL);
}
