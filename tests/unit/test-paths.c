/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/paths.h"
#include "skip.h"

static char folder[] = "/tmp/test-paths-XXXXXX";

static void below(char *buf, const char *name)
{
        snprintf(buf, 256, "%s/%s", folder, name);
}

static int make_folder(void **state)
{
        if (!mkdtemp(folder))
                return -1;
        setenv("XDG_RUNTIME_DIR", folder, 1);
        setenv("XDG_STATE_HOME", folder, 1);
        return 0;
}

static int remove_folder(void **state)
{
        char command[300];

        snprintf(command, sizeof(command), "rm -r %s", folder);
        return system(command);
}

static int clean(void **state)
{
        char path[256];

        below(path, "infprof");
        if (unlink(path) < 0)
                rmdir(path);
        return 0;
}

static void expect_refused(const char *word)
{
        char *path = NULL, *why = NULL;

        assert_true(ifp_runtime_dir(true, &path, &why) < 0);
        assert_null(path);
        assert_non_null(why);
        assert_non_null(strstr(why, word));
        assert_null(strchr(why, '\n'));
        free(why);
}

static void runtime_dir_is_made(void **state)
{
        char *path, *why = NULL, expected[256];
        struct stat st;
        mode_t mask = umask(0);

        assert_int_equal(ifp_runtime_dir(false, &path, &why), -ENOENT);
        free(why);
        assert_int_equal(ifp_runtime_dir(true, &path, NULL), 0);
        umask(mask);
        below(expected, "infprof");
        assert_string_equal(path, expected);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        free(path);
        assert_int_equal(ifp_runtime_dir(false, &path, NULL), 0);
        free(path);
}

static void open_directory_is_refused(void **state)
{
        char path[256];

        below(path, "infprof");
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(chmod(path, 0750), 0);
        expect_refused("750");
}

static void link_is_refused(void **state)
{
        char path[256];

        below(path, "infprof");
        assert_int_equal(symlink(folder, path), 0);
        expect_refused("link");
}

static void file_is_refused(void **state)
{
        char path[256];
        int fd;

        below(path, "infprof");
        fd = open(path, O_CREAT | O_WRONLY, 0700);
        assert_true(fd >= 0);
        close(fd);
        expect_refused("not a directory");
}

static void another_users_is_refused(void **state)
{
        char path[256];

        below(path, "infprof");
        assert_int_equal(mkdir(path, 0700), 0);
        if (chown(path, 12345, 12345) < 0)
                SKIP_HERE("only root can make a folder of another user");
        expect_refused("another user");
}

/* A runtime directory that is not absolute does not count. */
static void fallback_is_per_user(void **state)
{
        char *path, expected[64];

        setenv("XDG_RUNTIME_DIR", "not/absolute", 1);
        snprintf(expected, sizeof(expected), "/tmp/infprof-%u", (unsigned)geteuid());
        if (!ifp_runtime_dir(false, &path, NULL)) {
                assert_string_equal(path, expected);
                free(path);
        }
        setenv("XDG_RUNTIME_DIR", folder, 1);
}

static void state_dir_is_made_with_parents(void **state)
{
        char *path, base[256], expected[300];
        struct stat st;

        below(base, "some/where");
        setenv("XDG_STATE_HOME", base, 1);
        assert_int_equal(ifp_state_dir(true, &path, NULL), 0);
        snprintf(expected, sizeof(expected), "%s/infprof/runs", base);
        assert_string_equal(path, expected);
        assert_int_equal(stat(path, &st), 0);
        free(path);

        unsetenv("XDG_STATE_HOME");
        setenv("HOME", base, 1);
        assert_int_equal(ifp_state_dir(false, &path, NULL), 0);
        snprintf(expected, sizeof(expected), "%s/.local/state/infprof/runs", base);
        assert_string_equal(path, expected);
        free(path);
}

static void part_is_found(void **state)
{
        char *path;

        setenv("TEST_PART", "/given/by/hand", 1);
        assert_int_equal(ifp_find_part("TEST_PART", "test-paths", NULL, &path), 0);
        assert_string_equal(path, "/given/by/hand");
        free(path);
        unsetenv("TEST_PART");
        assert_int_equal(ifp_find_part("TEST_PART", "test-paths", "/nowhere", &path), 0);
        assert_non_null(strstr(path, "/test-paths"));
        free(path);
        assert_int_equal(ifp_find_part(NULL, "no-such-part", "/nowhere", &path), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(runtime_dir_is_made, clean),
                cmocka_unit_test_teardown(open_directory_is_refused, clean),
                cmocka_unit_test_teardown(link_is_refused, clean),
                cmocka_unit_test_teardown(file_is_refused, clean),
                cmocka_unit_test_teardown(another_users_is_refused, clean),
                cmocka_unit_test(fallback_is_per_user),
                cmocka_unit_test(state_dir_is_made_with_parents),
                cmocka_unit_test(part_is_found),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
