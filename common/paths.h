/* SPDX-License-Identifier: MIT */
/*
 * Where things are: the runtime directory with the sockets (see
 * <infprof/handshake.h>), the directory of run files, and the parts of infprof
 * itself, in the build tree or installed.
 *
 * 0 is success, else a negative errno; `ret_why` is then one line for a
 * person, to be freed. Paths returned are to be freed.
 */
#pragma once

#include <stdbool.h>

/* $XDG_RUNTIME_DIR/infprof, else /tmp/infprof-UID; checked to be ours: a directory, not a link,
 * mode 0700. -ENOENT: not there, and `make` was not asked for. */
int ifp_runtime_dir(bool make, char **ret_path, char **ret_why);

/* $XDG_STATE_HOME/infprof/runs, else ~/.local/state/infprof/runs. `make` creates it, parents too.
 */
int ifp_state_dir(bool make, char **ret_path, char **ret_why);

/*
 * A part of infprof: `env`, when it is set to an absolute path, else
 * DIR-OF-THIS-PROGRAM/`built` when that exists, else `installed` (absolute,
 * or relative to the directory of this program). -ENOENT: none exists.
 */
int ifp_find_part(const char *env, const char *built, const char *installed, char **ret_path);
