using Fovea.Models;
using Fovea.Models.Qwen3Vl;

namespace Fovea.Tests.Parity.Qwen3Vl;

/// <summary>The samples and the model of tests/goldens/qwen3_vl.</summary>
internal sealed class TinyData() : GridData("qwen3_vl")
{
    public static string Folder => TestFiles.Golden("qwen3_vl/model");

    public static Qwen3VlModel Load(ModelOptions? options = null) => (Qwen3VlModel)ModelSource.Open(Folder).Load(
        (options ?? new ModelOptions()) with { Device = TestDevice.Device });
}
