/* SPDX-License-Identifier: MIT */
/* Engines that were being profiled when a daemon before this one died. */
#pragma once

struct server;

void adopt_all(struct server *s);
