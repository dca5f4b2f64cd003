using Fovea.Tool.Native;

namespace Fovea.Tool;

/// <summary>The launcher is a shell script, as in a clone: it finds libtorch, or lays it down, and starts the command line with it.</summary>
internal static class Program
{
    public static int Main(string[] args) => Execute.Instead("bash", [Path.Combine(AppContext.BaseDirectory, "launcher", "fovea"), .. args]);
}
