/* SPDX-License-Identifier: MIT */
/*
 * Where things are. The runtime directory decides who can talk to whom, so it
 * is taken only when nobody else can have made or filled it: /tmp is shared, and another user may
 * have put a directory or a link of that name there first.
 */
#include "common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <infprof/handshake.h>

__attribute__((format(printf, 3, 4))) static int fail(int error, char **ret_why, const char *format,
                                                      ...)
{
        va_list ap;

        if (ret_why) {
                va_start(ap, format);
                if (vasprintf(ret_why, format, ap) < 0)
                        *ret_why = NULL;
                va_end(ap);
        }
        return -error;
}

static int check_ours(const char *path, char **ret_why)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return fail(errno, ret_why, "%s: %s", path, strerror(errno));
        if (S_ISLNK(st.st_mode))
                return fail(ELOOP, ret_why, "%s is a link, not a directory; remove it", path);
        if (!S_ISDIR(st.st_mode))
                return fail(ENOTDIR, ret_why, "%s is not a directory; remove it", path);
        if (st.st_uid != geteuid())
                return fail(EPERM, ret_why,
                            "%s belongs to another user (uid %u); set XDG_RUNTIME_DIR to a "
                            "directory of "
                            "your own",
                            path, (unsigned)st.st_uid);
        if (st.st_mode & 077)
                return fail(EPERM, ret_why, "%s is open to others (mode %03o); chmod 700 it", path,
                            (unsigned)st.st_mode & 0777);
        return 0;
}

int ifp_runtime_dir(bool make, char **ret_path, char **ret_why)
{
        const char *base = getenv("XDG_RUNTIME_DIR");
        char *path;
        int r;

        if (base && base[0] == '/')
                r = asprintf(&path, "%s/" IFP_RUNTIME_SUBDIR, base);
        else
                r = asprintf(&path, IFP_RUNTIME_FALLBACK "%u", (unsigned)geteuid());
        if (r < 0)
                return -ENOMEM;
        if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
                r = fail(errno, ret_why,
                         "cannot make the directory %s: %s; set XDG_RUNTIME_DIR to one "
                         "that can be written",
                         path, strerror(errno));
        else
                r = check_ours(path, ret_why);
        if (r < 0) {
                free(path);
                return r;
        }
        *ret_path = path;
        return 0;
}

/* mkdir -p */
static int make_all(char *path)
{
        for (char *p = path + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                if (mkdir(path, 0700) < 0 && errno != EEXIST) {
                        *p = '/';
                        return -errno;
                }
                *p = '/';
        }
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int ifp_state_dir(bool make, char **ret_path, char **ret_why)
{
        const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        char *path;
        int r;

        if (!home || home[0] != '/') {
                struct passwd *pw = getpwuid(geteuid());

                home = pw ? pw->pw_dir : "/";
        }
        if (base && base[0] == '/')
                r = asprintf(&path, "%s/infprof/runs", base);
        else
                r = asprintf(&path, "%s/.local/state/infprof/runs", home);
        if (r < 0)
                return -ENOMEM;
        r = make ? make_all(path) : 0;
        if (r < 0) {
                fail(-r, ret_why,
                     "cannot make the directory %s: %s; set XDG_STATE_HOME to one that can be "
                     "written",
                     path, strerror(-r));
                free(path);
                return r;
        }
        *ret_path = path;
        return 0;
}

int ifp_find_part(const char *env, const char *built, const char *installed, char **ret_path)
{
        const char *given = env ? getenv(env) : NULL, *tries[] = {built, installed};
        char self[PATH_MAX], *path, *slash;
        ssize_t n;

        if (given && given[0] == '/') {
                path = strdup(given);
                if (!path)
                        return -ENOMEM;
                *ret_path = path;
                return 0;
        }
        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
                return -errno;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
                *slash = '\0';
        for (unsigned i = 0; i < 2; i++) {
                char whole[2 * PATH_MAX];

                if (!tries[i])
                        continue;
                if (tries[i][0] == '/')
                        snprintf(whole, sizeof(whole), "%s", tries[i]);
                else
                        snprintf(whole, sizeof(whole), "%s/%s", self, tries[i]);
                path = realpath(whole, NULL);
                if (path) {
                        *ret_path = path;
                        return 0;
                }
        }
        return -ENOENT;
}
