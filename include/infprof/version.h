/* SPDX-License-Identifier: MIT */
/*
 * The version of what programs share. `IFP_ABI_VERSION` counts layouts of the
 * segment: a reader takes only its own. `IFP_ABI_COMPAT` is the oldest reader
 * that may still read what this header describes.
 */
#pragma once

#define IFP_VERSION     "0.1.0"
#define IFP_ABI_VERSION 5
#define IFP_ABI_COMPAT  5
