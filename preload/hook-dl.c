/* SPDX-License-Identifier: MIT */
/*
 * dlopen, dlclose, dlsym and dladdr. The loader decides by the address of its caller
 * whose RUNPATH is searched and what RTLD_NEXT means; where that matters the
 * call is made with a return address inside the caller's own object.
 *
 * After the outermost dlopen of a thread has returned, new objects are looked
 * at. A symbol that is wanted is answered with its stub.
 */
#include "preload/engine.h"
#include "preload/own.h"
#include "preload/real.h"
#include "preload/slots.h"

/* dlopen looks a bare name up for its caller; a path with $ORIGIN too. */
static bool caller_matters(const char *file)
{
        bool slash = false;

        for (; file && *file; file++) {
                if (*file == '$')
                        return true;
                slash |= *file == '/';
        }
        return file && !slash;
}

static void *call_as(void *fn, const void *a, uint64_t b, const void *c, const void *caller)
{
        const void *gadget = ifp_gadget_of(caller);

        if (!gadget) /* code of no object we know: nothing to lose */
                return ((void *(*)(const void *, uint64_t, const void *))fn)(a, b, c);
        return ifp_call_as(fn, a, b, c, gadget);
}

static void enter(void)
{
        ifp_real_init();
        if (!ifp_tls.dl_depth++)
                ifp_loader_entered();
}

/* `changed`: objects came or went. */
static void leave(bool changed, void *handle, int mode)
{
        IFP_KEEP_ERRNO;

        if (--ifp_tls.dl_depth)
                return;
        ifp_loader_returned();
        if ((changed || ifp_scan_left()) && ifp_seg && ifp_alive() && !ifp_off)
                ifp_scan(handle, mode);
}

IFP_EXPORT void *dlopen(const char *file, int mode)
{
        const void *caller = __builtin_return_address(0);
        void *handle;

        enter();
        if (caller_matters(file))
                handle = call_as((void *)ifp_real.dlopen, file, (uint32_t)mode, NULL, caller);
        else
                handle = ifp_real.dlopen(file, mode);
        leave(handle, handle, mode);
        return handle;
}

IFP_EXPORT void *dlmopen(Lmid_t ns, const char *file, int mode)
{
        const void *caller = __builtin_return_address(0);
        void *handle;

        enter();
        handle = call_as((void *)ifp_real.dlmopen, (void *)ns, (uint64_t)(uintptr_t)file,
                         (void *)(intptr_t)mode, caller);
        leave(handle && ns == LM_ID_BASE, ns == LM_ID_BASE ? handle : NULL, mode);
        return handle;
}

IFP_EXPORT int dlclose(void *handle)
{
        int ret;

        enter();
        ret = ifp_real.dlclose(handle);
        leave(!ret, NULL, 0);
        return ret;
}

/* RTLD_NEXT and RTLD_DEFAULT depend on who asks. */
static bool asker_matters(void *handle)
{
        return handle == RTLD_NEXT || handle == RTLD_DEFAULT;
}

/*
 * Who asks for malloc or its like by name, and gets an allocator's, is mostly a wrapper that looks
 * for what is behind it: the call that brought it there is counted already.
 */
static void *answer(void *address, const char *name)
{
        uint64_t own;

        if (!address || ifp_tls.busy)
                return address;
        own = ifp_own_family(name) ? 0 : ifp_own_for((uint64_t)(uintptr_t)address);
        address = ifp_stub_for(address);
        return own && !ifp_stub_target(address) ? (void *)(uintptr_t)own : address;
}

IFP_EXPORT void *dlsym(void *restrict handle, const char *restrict name)
{
        const void *caller = __builtin_return_address(0);
        void *address;

        ifp_real_init();
        if (asker_matters(handle))
                address = call_as((void *)ifp_real.dlsym, handle, (uint64_t)(uintptr_t)name, NULL,
                                  caller);
        else
                address = ifp_real.dlsym(handle, name);
        return answer(address, name);
}

IFP_EXPORT void *dlvsym(void *restrict handle, const char *restrict name,
                        const char *restrict version)
{
        const void *caller = __builtin_return_address(0);
        void *address;

        ifp_real_init();
        if (asker_matters(handle))
                address = call_as((void *)ifp_real.dlvsym, handle, (uint64_t)(uintptr_t)name,
                                  version, caller);
        else
                address = ifp_real.dlvsym(handle, name, version);
        return answer(address, name);
}

/* Whoever asks what a stub or a stand-in is, means what is behind it. */
static const void *meant(const void *address)
{
        const void *kernel = ifp_stub_target(address);

        return ifp_own_meant(kernel ? kernel : address);
}

IFP_EXPORT int dladdr(const void *address, Dl_info *info)
{
        ifp_real_init();
        return ifp_real.dladdr(meant(address), info);
}

IFP_EXPORT int dladdr1(const void *address, Dl_info *info, void **extra, int flags)
{
        ifp_real_init();
        return ifp_real.dladdr1(meant(address), info, extra, flags);
}
