/* SPDX-License-Identifier: MIT */
/* The capabilities of this process, as /proc tells them: libcap is not needed for that. */
#include "common/capabilities.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>

static bool has(uint64_t all, unsigned capability)
{
        return all >> capability & 1;
}

bool ifp_may_bpf(void)
{
        char line[256];
        uint64_t all = 0;
        FILE *f = fopen("/proc/self/status", "re");

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "CapEff: %" SCNx64, &all) == 1)
                        break;
        if (f)
                fclose(f);
        return has(all, CAP_SYS_ADMIN) || (has(all, CAP_PERFMON) && has(all, CAP_BPF));
}
