// What the checks of all kernels share: numbers, memory with margins, and the rule of what an error may be.
#pragma once
#include "launch.h"

#include "cuda_bf16.h"
#include "cuda_fp16.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) static_cast<void>(at)
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) static_cast<void>(at)
#endif

namespace check {

using fovea::cuda::Type;

template <class T>
constexpr Type type_of = std::is_same_v<T, float> ? Type::F32 : std::is_same_v<T, __half> ? Type::F16 : Type::BF16;
inline const char* name_of(Type type) { return type == Type::F32 ? "fp32" : type == Type::BF16 ? "bf16" : "fp16"; }

inline double value(float x) { return x; }
inline double value(__nv_bfloat16 x) { return __bfloat162float(x); }
inline double value(__half x) { return __half2float(x); }
inline void put(double x, float& to) { to = static_cast<float>(x); }
inline void put(double x, __nv_bfloat16& to) { to = __float2bfloat16_rn(static_cast<float>(x)); }
inline void put(double x, __half& to) { to = __float2half_rn(static_cast<float>(x)); }

// 2^-24: half a unit in the last place of fp32 at 1.
constexpr double ulp = 0x1p-24;

// What one rounding to the type may change at most.
inline double rounding(Type type, double x) {
    const int bits = type == Type::F32 ? 24 : type == Type::BF16 ? 8 : 11, least = type == Type::F16 ? -14 : -126;
    return std::ldexp(1.0, (x == 0 ? least : std::max(std::ilogb(x), least)) - bits);
}

class Random {
public:
    explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15u + 1) {}

    uint64_t bits() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state * 0x2545F4914F6CDD1Du;
    }
    double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    // Nearly normal: the sum of four uniform numbers, of deviation 1.
    double normal() { return (uniform() + uniform() + uniform() + uniform() - 2) * 1.7320508; }

private:
    uint64_t state;
};

// So many elements, the first of them `shift` elements past a multiple of 16 bytes. Margins on both sides hold what is no number in any type, another in each
// buffer, so that a copy of a margin shows too; they must stay as they are, and the address sanitizer sees whoever touches them.
template <class T>
class Buffer {
public:
    Buffer(int64_t count, int64_t shift) : count(count), before(margin + shift * sizeof(T)), after(margin) {
        const size_t bytes = before + count * sizeof(T) + after;
        memory.reset(static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
        static uint16_t last = 0;
        mark = static_cast<uint16_t>(0xffc1 + last++ % 32);
        std::fill_n(reinterpret_cast<uint16_t*>(memory.get()), bytes / 2, mark);
        ASAN_POISON_MEMORY_REGION(memory.get(), before);
        ASAN_POISON_MEMORY_REGION(memory.get() + bytes - after, after);
    }
    ~Buffer() { open(); }
    Buffer(const Buffer&) = delete;

    T* data() { return reinterpret_cast<T*>(memory.get() + before); }
    T& operator[](int64_t i) { return data()[i]; }
    double at(int64_t i) { return value(data()[i]); }
    void fill(Random& random, double scale) {
        for (int64_t i = 0; i < count; i++) {
            put(random.normal() * scale, data()[i]);
        }
    }
    bool intact() {
        open();
        const auto* marks = reinterpret_cast<uint16_t*>(memory.get());
        for (size_t i = 0; i < (before + after) / 2; i++) {
            if (marks[i < before / 2 ? i : i + count * sizeof(T) / 2] != mark) {
                return false;
            }
        }
        return true;
    }

    const int64_t count;

private:
    static constexpr size_t margin = 64;
    struct Free {
        void operator()(char* at) const { std::free(at); }
    };

    void open() { ASAN_UNPOISON_MEMORY_REGION(memory.get(), before + count * sizeof(T) + after); }

    size_t before, after;
    uint16_t mark;
    std::unique_ptr<char, Free> memory;
};

// What was found so far of one kernel in one element type.
struct Tally {
    long checks = 0, failures = 0;
    double worst = 0; // error over what is allowed
    double norm = 0;  // of the errors over that of the reference, of the worst check
};
Tally& tally(const std::string& kernel, Type type);

// The case at work, for messages.
void begin(const std::string& what);
void fail(const std::string& kernel, Type type, const std::string& what);

// Every element within what is allowed of it; one that is no number where none is expected.
template <class T>
void compare(const std::string& kernel, Type type, Buffer<T>& found, const std::vector<double>& expected, const std::vector<double>& allowed) {
    auto& all = tally(kernel, type);
    all.checks++;
    double errors = 0, sizes = 0;
    for (int64_t i = 0; i < found.count; i++) {
        const double x = found.at(i), wanted = expected[i];
        if (std::isnan(wanted) && std::isnan(x)) {
            continue;
        }
        const double error = std::fabs(x - wanted), share = error / allowed[i];
        if (!(share <= 1)) {
            fail(kernel, type, "element " + std::to_string(i) + ": expected " + std::to_string(wanted) + ", found " + std::to_string(x));
            break;
        }
        all.worst = std::max(all.worst, share);
        errors += error * error;
        sizes += wanted * wanted;
    }
    all.norm = std::max(all.norm, sizes > 0 ? std::sqrt(errors / sizes) : 0);
    if (!found.intact()) {
        fail(kernel, type, "memory beside a result was written");
    }
}

// Inputs stay as they are, and so does what lies beside them.
template <class... Buffers>
void unharmed(const std::string& kernel, Type type, Buffers&... buffers) {
    if (!(buffers.intact() && ...)) {
        fail(kernel, type, "memory beside an input was written");
    }
}

// How thorough, and in what order threads run.
struct Pass {
    bool quick, rough;
    uint64_t seed;
};

void rms_norm(const Pass& pass);
void cross_entropy(const Pass& pass);
void silu_mul(const Pass& pass);
void rotary(const Pass& pass);
void dropout(const Pass& pass);
void sigmoid_mul(const Pass& pass);
void delta_gates(const Pass& pass);
void convolution(const Pass& pass);
void delta_rule(const Pass& pass);
void four_bit(const Pass& pass);

} // namespace check
