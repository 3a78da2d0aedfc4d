/* SPDX-License-Identifier: MIT */
/* Runs that a killed daemon left open and nobody can go on with. */
#pragma once

struct server;

/* To be called once, when what can be adopted has been. */
void bury_all(struct server *s);
