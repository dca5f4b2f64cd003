namespace Fovea.Tests;

/// <summary>Where parity tests compute: the CPU, or what FOVEA_TEST_DEVICE names (cuda, cuda:N).</summary>
internal static class TestDevice
{
    public static Device Device { get; } = Devices.Choose(Environment.GetEnvironmentVariable("FOVEA_TEST_DEVICE") is { Length: > 0 } name ? name : "cpu");

    public static bool IsCpu => Device.Type == DeviceType.Cpu;

    /// <summary>GPUs sum in another order and with other roundings than the reference's CPU: ten times the tolerance.</summary>
    public static double Tolerance(double onCpu) => IsCpu ? onCpu : 10 * onCpu;

    /// <summary>
    /// Compares losses of two runs that compute the same. GPUs add gradients of attention in no fixed order (docs/gpu.md), and a bit there is soon
    /// more: only the CPU repeats itself exactly.
    /// </summary>
    public static bool SameRun(double expected, double actual) => IsCpu ? expected.Equals(actual) : Math.Abs(expected - actual) <= 1e-3 * Math.Abs(expected);
}
