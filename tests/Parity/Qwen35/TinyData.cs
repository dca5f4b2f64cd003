using Fovea.Models;
using Fovea.Models.Qwen35;

namespace Fovea.Tests.Parity.Qwen35;

/// <summary>The samples and the model of tests/goldens/qwen3_5.</summary>
internal sealed class TinyData() : GridData("qwen3_5")
{
    public static string Folder => TestFiles.Golden("qwen3_5/model");

    public static Qwen35Model Load(ModelOptions? options = null) => (Qwen35Model)ModelSource.Open(Folder).Load(
        (options ?? new ModelOptions()) with { Device = TestDevice.Device });
}
