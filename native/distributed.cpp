// Collectives: a TCP store, a process group over Gloo (CPU) and NCCL (CUDA), works to wait for. Builds without their headers and then says what is missing.
#include "bridge.h"

#include <ATen/Functions.h>
#include <c10/util/Logging.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#if !defined(FOVEA_NO_C10D) && __has_include(<torch/csrc/distributed/c10d/TCPStore.hpp>)
#define FOVEA_C10D
#include <torch/csrc/distributed/c10d/GroupRegistry.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#endif

using namespace fovea;

namespace {

constexpr int32_t GlooFlag = 1;
constexpr int32_t NcclFlag = 2;
constexpr int32_t Waiting = 2; // besides 0 = done and 1 = failed

enum Kind : int32_t { AllReduce = 0, AllGather = 1, AllToAll = 2, Broadcast = 3, ReduceScatter = 4 };

} // namespace

// Which backends this bridge was built with: bit 0 Gloo, bit 1 NCCL.
FOVEA_EXPORT int fovea_backends() {
    int flags = 0;
#if defined(FOVEA_C10D) && defined(USE_C10D_GLOO)
    flags |= GlooFlag;
#endif
#if defined(FOVEA_C10D) && defined(USE_C10D_NCCL)
    flags |= NcclFlag;
#endif
    return flags;
}

// Bytes that this process has handed to its open TCP connections, acknowledged or not, without headers.
FOVEA_EXPORT int64_t fovea_wire_bytes() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    int64_t sum = 0;
    for (int fd = 3; fd < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536)); fd++) {
        int type = 0;
        socklen_t length = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) {
            continue;
        }
        // The kernel's structure grows with time; bytes_sent (Linux 4.19) lies behind the part that old headers declare.
        alignas(8) unsigned char info[256] = {};
        length = sizeof info;
        constexpr size_t bytes_sent = 200;
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0 && length >= bytes_sent + 8) {
            int64_t sent = 0;
            std::memcpy(&sent, info + bytes_sent, sizeof sent);
            sum += sent;
        }
    }
    return sum;
}

#ifdef FOVEA_C10D

namespace {

using Milliseconds = std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::Store>;

struct Group {
    c10::intrusive_ptr<c10d::ProcessGroup> group;
    std::string name;
#ifdef USE_C10D_NCCL
    c10::intrusive_ptr<c10d::ProcessGroupNCCL> cards;
#endif
};

struct Pending {
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    std::vector<at::Tensor> held; // Gloo works on them until it is done
    bool streams;
    std::shared_ptr<std::atomic<int64_t>> ended = std::make_shared<std::atomic<int64_t>>(0); // on the steady clock, ns; of the last work so far
};

// Notes when each work ends, on the thread that ends it: whoever waits may come much later.
void note_end(const Pending& pending) {
    for (const auto& work : pending.works) {
        auto future = work->getFuture();
        if (!future) {
            continue;
        }
        future->addCallback([ended = pending.ended](c10::ivalue::Future&) {
            const int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
            int64_t before = ended->load();
            while (before < now && !ended->compare_exchange_weak(before, now)) {
            }
        });
    }
}

c10::intrusive_ptr<c10d::Work> broadcast(c10d::ProcessGroup& group, at::Tensor tensor, int root) {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    std::vector<at::Tensor> one{std::move(tensor)};
    return group.broadcast(one, options);
}

// Gloo's own gathers into a second buffer of the same size and copies; each rank's part, sent by itself, arrives where it belongs.
std::vector<c10::intrusive_ptr<c10d::Work>> gather_in_place(c10d::ProcessGroup& group, const at::Tensor& out, const at::Tensor& in) {
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    auto mine = out.narrow(0, group.getRank() * in.numel(), in.numel());
    if (mine.data_ptr() != in.data_ptr()) {
        mine.copy_(in);
    }
    for (int rank = 0; rank < group.getSize(); rank++) {
        works.push_back(broadcast(group, out.narrow(0, rank * in.numel(), in.numel()), rank));
    }
    return works;
}

std::vector<uint8_t> bytes_of(const void* data, int64_t length) {
    const auto* p = static_cast<const uint8_t*>(data);
    return {p, p + length};
}

} // namespace

FOVEA_EXPORT int fovea_store_open(const char* host, int port, int server, int world, int64_t timeout_ms, const char* prefix, void** store) {
    return guarded([&] {
        c10::initLogging(); // reads TORCH_CPP_LOG_LEVEL, which nothing else does outside Python
        c10d::TCPStoreOptions options;
        options.port = static_cast<uint16_t>(port);
        options.isServer = server != 0;
        options.numWorkers = world;
        options.waitWorkers = false;
        options.timeout = Milliseconds(timeout_ms);
        options.useLibUV = false; // Debian's libtorch has none
        Store opened = c10::make_intrusive<c10d::TCPStore>(host, options);
        if (*prefix != '\0') {
            opened = c10::make_intrusive<c10d::PrefixStore>(prefix, opened);
        }
        *store = new Store(std::move(opened));
    });
}

FOVEA_EXPORT void fovea_store_close(void* store) {
    guarded([&] { delete static_cast<Store*>(store); });
}

FOVEA_EXPORT int fovea_store_set(void* store, const char* key, const void* data, int64_t length) {
    return guarded([&] { (*static_cast<Store*>(store))->set(key, bytes_of(data, length)); });
}

// Sets what is not there yet; `set` says whether it was this call that did.
FOVEA_EXPORT int fovea_store_set_once(void* store, const char* key, const void* data, int64_t length, int* set) {
    return guarded([&] {
        const auto wanted = bytes_of(data, length);
        *set = (*static_cast<Store*>(store))->compareSet(key, {}, wanted) == wanted;
    });
}

FOVEA_EXPORT int fovea_store_has(void* store, const char* key, int* found) {
    return guarded([&] { *found = (*static_cast<Store*>(store))->check({key}); });
}

// The value of a key that is there. `length` is its length, also when the buffer was too small and nothing was copied.
FOVEA_EXPORT int fovea_store_get(void* store, const char* key, void* buffer, int64_t capacity, int64_t* length) {
    return guarded([&] {
        const auto value = (*static_cast<Store*>(store))->get(key);
        *length = static_cast<int64_t>(value.size());
        if (*length <= capacity && *length > 0) {
            std::memcpy(buffer, value.data(), value.size());
        }
    });
}

FOVEA_EXPORT int fovea_store_add(void* store, const char* key, int64_t amount, int64_t* sum) {
    return guarded([&] { *sum = (*static_cast<Store*>(store))->add(key, amount); });
}

// `address` is this process's own, by which others reach it; `device` is packed. Collectives on it are also found by name: _c10d_functional::*.
FOVEA_EXPORT int fovea_group_open(
    void* store, int rank, int world, const char* name, const char* address, int64_t device, int64_t timeout_ms, void** opened) {
    return guarded([&] {
        const auto& base = *static_cast<Store*>(store);
        const auto where = unpack_device(device);
        auto result = std::make_unique<Group>();
        result->name = name;
        result->group = c10::make_intrusive<c10d::ProcessGroup>(base, rank, world);
        int backends = 0;
#ifdef USE_C10D_GLOO
        auto gloo = c10d::ProcessGroupGloo::Options::create();
        gloo->timeout = Milliseconds(timeout_ms);
        gloo->threads = 2;
        gloo->devices.push_back(
            *address == '\0' ? c10d::ProcessGroupGloo::createDefaultDevice() : c10d::ProcessGroupGloo::createDeviceForHostname(address));
        Store part = c10::make_intrusive<c10d::PrefixStore>("gloo/", base);
        result->group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
        result->group->setBackend(
            c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, c10::make_intrusive<c10d::ProcessGroupGloo>(part, rank, world, gloo));
        backends |= GlooFlag;
#endif
#ifdef USE_C10D_NCCL
        if (where.is_cuda()) {
            auto nccl = c10d::ProcessGroupNCCL::Options::create();
            nccl->timeout = Milliseconds(timeout_ms);
            Store cards = c10::make_intrusive<c10d::PrefixStore>("nccl/", base);
            result->group->setDefaultBackend(c10d::ProcessGroup::BackendType::NCCL);
            result->cards = c10::make_intrusive<c10d::ProcessGroupNCCL>(cards, rank, world, nccl);
            result->group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, result->cards);
            backends |= NcclFlag;
        }
#endif
        TORCH_CHECK(
            backends & (where.is_cuda() ? NcclFlag : GlooFlag), "this libtorch cannot connect processes on ", where.str(), ": its headers lack ",
            where.is_cuda() ? "NCCL's (nccl.h)" : "Gloo's (gloo/algorithm.h)");
        result->group->setGroupName(name);
        c10d::register_process_group(name, result->group);
        *opened = result.release();
    });
}

FOVEA_EXPORT void fovea_group_close(void* group) {
    guarded([&] {
        const std::unique_ptr<Group> closing(static_cast<Group*>(group));
        c10d::unregister_process_group(closing->name);
#ifdef USE_C10D_NCCL
        if (closing->cards) {
            closing->cards->shutdown();
        }
#endif
    });
}

// Ends collectives on cards that will never end by themselves; nothing can be started afterwards.
FOVEA_EXPORT int fovea_group_abort([[maybe_unused]] void* group) {
    return guarded([&] {
#ifdef USE_C10D_NCCL
        if (const auto& cards = static_cast<Group*>(group)->cards) {
            cards->abort();
        }
#endif
    });
}

// One collective over contiguous tensors, started but not waited for. `root` is read by Broadcast only. `timed` has its end noted (not on CUDA).
FOVEA_EXPORT int fovea_collective(void* group, int kind, Handle output, Handle input, int root, int timed, void** pending) {
    return guarded([&] {
        auto& g = *static_cast<Group*>(group)->group;
        auto out = borrow(output);
        auto in = borrow(input);
        std::vector<at::Tensor> one{out};
        std::vector<c10::intrusive_ptr<c10d::Work>> works;
        switch (kind) {
            case AllReduce: works.push_back(g.allreduce(one)); break;
            case AllGather:
                if (out.is_cuda()) {
                    works.push_back(g._allgather_base(out, in));
                } else {
                    works = gather_in_place(g, out, in);
                }
                break;
            case AllToAll: {
                std::vector<int64_t> even;
                works.push_back(g.alltoall_base(out, in, even, even));
                break;
            }
            case Broadcast: works.push_back(broadcast(g, out, root)); break;
            case ReduceScatter: works.push_back(g._reduce_scatter_base(out, in)); break;
            default: TORCH_CHECK(false, "unknown collective ", kind);
        }
        auto started = std::make_unique<Pending>(Pending{std::move(works), {out, in}, out.is_cuda()});
        if (timed != 0 && !out.is_cuda()) {
            note_end(*started);
        }
        *pending = started.release();
    });
}

// Waits for at most `slice_ms`: 0 is done, 2 not yet, 1 failed. On CUDA it is the current stream that waits.
FOVEA_EXPORT int fovea_work_wait(void* pending, int64_t slice_ms) {
    int waiting = 0;
    const int status = guarded([&] {
        auto& p = *static_cast<Pending*>(pending);
        for (auto& work : p.works) {
            if (p.streams) {
                work->wait();
                continue;
            }
            try {
                work->wait(Milliseconds(slice_ms));
            } catch (...) {
                if (!work->isCompleted()) {
                    waiting = Waiting;
                    return;
                }
                work->wait(); // it may have ended just after the slice
            }
        }
    });
    return status != 0 ? status : waiting;
}

// When its last work ended, in ns of the steady clock; 0 where that was not noted.
FOVEA_EXPORT int64_t fovea_work_ended(void* pending) { return static_cast<Pending*>(pending)->ended->load(); }

FOVEA_EXPORT void fovea_work_close(void* pending) {
    guarded([&] { delete static_cast<Pending*>(pending); });
}

#else

namespace {
int absent() {
    return guarded([] { TORCH_CHECK(false, "this libtorch cannot connect processes: it came without the headers of c10d"); });
}
} // namespace

FOVEA_EXPORT int fovea_store_open(const char*, int, int, int, int64_t, const char*, void**) { return absent(); }
FOVEA_EXPORT void fovea_store_close(void*) {}
FOVEA_EXPORT int fovea_store_set(void*, const char*, const void*, int64_t) { return absent(); }
FOVEA_EXPORT int fovea_store_set_once(void*, const char*, const void*, int64_t, int*) { return absent(); }
FOVEA_EXPORT int fovea_store_has(void*, const char*, int*) { return absent(); }
FOVEA_EXPORT int fovea_store_get(void*, const char*, void*, int64_t, int64_t*) { return absent(); }
FOVEA_EXPORT int fovea_store_add(void*, const char*, int64_t, int64_t*) { return absent(); }
FOVEA_EXPORT int fovea_group_open(void*, int, int, const char*, const char*, int64_t, int64_t, void**) { return absent(); }
FOVEA_EXPORT void fovea_group_close(void*) {}
FOVEA_EXPORT int fovea_group_abort(void*) { return absent(); }
FOVEA_EXPORT int fovea_collective(void*, int, Handle, Handle, int, int, void**) { return absent(); }
FOVEA_EXPORT int fovea_work_wait(void*, int64_t) { return absent(); }
FOVEA_EXPORT int64_t fovea_work_ended(void*) { return 0; }
FOVEA_EXPORT void fovea_work_close(void*) {}

#endif
