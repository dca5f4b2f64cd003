// Runs the checks of all kernels and prints what was counted. Ends with 1 where a check failed, 2 where a kernel crashed.
#include "buffers.h"

#include "fibers.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <unistd.h>

namespace check {
namespace {

std::map<std::pair<std::string, int>, Tally> tallies;
std::string current;
long told;
bool until_failure;

void crashed(int signal) {
    char text[512];
    const auto length = std::snprintf(
        text, sizeof text, "signal %d (%s) in %s\n", signal, signal == SIGILL ? "misaligned or otherwise undefined" : "memory that is not there",
        current.c_str());
    if (write(1, text, static_cast<size_t>(std::min<long>(length, sizeof text - 1))) < 0) {
        _exit(3);
    }
    _exit(2);
}

} // namespace

Tally& tally(const std::string& kernel, Type type) { return tallies[{kernel, static_cast<int>(type)}]; }

void begin(const std::string& what) { current = what; }

void fail(const std::string& kernel, Type type, const std::string& what) {
    tally(kernel, type).failures++;
    if (told++ < 10) {
        std::printf("FAILED %s %s, %s: %s\n", kernel.c_str(), name_of(type), current.c_str(), what.c_str());
    }
    if (until_failure) {
        std::fflush(stdout);
        _exit(1);
    }
}

namespace {

// By the file that the kernel is in.
const std::pair<std::string, void (*)(const Pass&)> kernels[] = {
    {"rms_norm", rms_norm}, {"cross_entropy", cross_entropy}, {"swiglu", silu_mul}, {"rotary", rotary}, {"dropout", dropout}, {"gates", sigmoid_mul},
    {"gates", delta_gates}, {"convolution", convolution}, {"delta", delta_rule}, {"four_bit", four_bit}};

// Those of one file, of all where its name is none of these.
int run(bool quick, uint64_t seed, const std::string& only) {
    const auto meant = [&](const auto& kernel) { return only.compare(0, kernel.first.size(), kernel.first) == 0; };
    const bool all = std::none_of(std::begin(kernels), std::end(kernels), meant);
    for (const auto signal : {SIGILL, SIGSEGV, SIGBUS, SIGFPE}) {
        std::signal(signal, crashed);
    }
    const Pass passes[] = {{quick, false, seed}, {quick, true, seed + 1}, {quick, true, seed + 2}};
    for (int i = 0; i < (quick ? 2 : 3); i++) {
        emulated::rough_exp = passes[i].rough;
        for (const auto& kernel : kernels) {
            emulated::seed(passes[i].seed);
            if (!all && !meant(kernel)) {
                continue;
            }
            try {
                kernel.second(passes[i]);
            } catch (const emulated::Fault& e) {
                fail("any kernel", Type::F32, e.what());
                break; // its threads are left where they were
            }
        }
    }
    std::printf("%-28s %-5s %8s %9s %18s %18s\n", "kernel", "type", "checks", "failures", "error over allowed", "norm of the error");
    long checks = 0, failures = 0;
    for (const auto& [kernel, t] : tallies) {
        const auto type = static_cast<Type>(kernel.second);
        std::printf("%-28s %-5s %8ld %9ld %18.3f %18.1e\n", kernel.first.c_str(), name_of(type), t.checks, t.failures, t.worst, t.norm);
        checks += t.checks;
        failures += t.failures;
    }
    std::printf(
        "%ld checks, %ld failures, %ld launches, %ld blocks\n", checks, failures, emulated::counts.launches, emulated::counts.blocks);
    return failures == 0 && checks > 0 ? 0 : 1;
}

} // namespace
} // namespace check

int main(int count, char** arguments) {
    bool quick = false;
    uint64_t seed = 1;
    std::string only;
    for (int i = 1; i < count; i++) {
        const std::string given = arguments[i];
        if (given == "--quick") {
            quick = true;
        } else if (given == "--until-failure") {
            check::until_failure = true;
        } else if (given == "--seed" && i + 1 < count) {
            seed = std::stoull(arguments[++i]);
        } else if (given == "--only" && i + 1 < count) {
            only = arguments[++i];
        } else {
            std::fprintf(stderr, "unknown option %s\n", given.c_str());
            return 3;
        }
    }
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    return check::run(quick, seed, only);
}
