namespace Fovea.Training.Config;

/// <summary>On, off, or decided by the program; written <c>auto</c>, <c>true</c> or <c>false</c>.</summary>
internal enum Toggle
{
    Auto,
    On,
    Off,
}
