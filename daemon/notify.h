/* SPDX-License-Identifier: MIT */
/* What a service manager wants to be told: sd_notify(3), without its library. */
#pragma once

/* "READY=1", "STOPPING=1". Does nothing where no service manager started this very process. */
void notify(const char *state);
