/* SPDX-License-Identifier: MIT */
#pragma once

struct maps_truth {
        long long maps, mapped, unmaps, unmapped, failed;
};

void k_mmap(struct maps_truth *t, long n);
void k_mremap(struct maps_truth *t, long n);
void k_sbrk(struct maps_truth *t, long n);
void k_maps_fail(struct maps_truth *t, long n);
