#include "bridge.h"

#include <c10/util/Exception.h>

namespace fovea {

namespace {
// Not exported: a thread-local symbol named like a libc function would bind to that function.
thread_local std::string last_error_text;
} // namespace

void set_error(std::string message) {
    last_error_text = std::move(message);
}

std::string describe_current_exception() {
    try {
        throw;
    } catch (const c10::Error& e) {
        return e.what_without_backtrace();
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception of an unknown kind";
    }
}

} // namespace fovea

FOVEA_EXPORT const char* fovea_last_error() {
    return fovea::last_error_text.c_str();
}
