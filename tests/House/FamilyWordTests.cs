using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>What only one model family has is named in that family's folder and nowhere else.</summary>
public sealed partial class FamilyWordTests
{
    // Templates and image processors that several families' published files name; the demo's models; OpenBMB's script, whose arguments are turned into keys.
    private static readonly string[] Allowed =
    [
        "src/Fovea.Data/Templates/ChatTemplates.cs", "src/Fovea.Data/Images/Qwen2Vl", "src/Fovea.Cli/Demo/", "src/Fovea.Training/Config/OfficialArguments.cs",
        "src/Fovea.Models/Families.cs", "src/Fovea.Models/Qwen25Vl/", "src/Fovea.Models/Qwen2Vl/", "src/Fovea.Models/Qwen3Vl/", "src/Fovea.Models/Qwen35/",
        "src/Fovea.Models/MiniCpmV/", "src/Fovea.Models/MiniCpmV46/", "src/Fovea.Models/MiniMindV/",
    ];

    [Fact]
    public void Shared_rooms_know_no_option_of_one_family() => Assert.Empty(SourceTree.Find(
        SourceTree.CSharp("src/").Where(file => !Allowed.Any(allowed => file.Key.StartsWith(allowed, StringComparison.Ordinal))), Words()));

    [GeneratedRegex(
        @"\b(?:LlmType|llm_type|MaxSliceNums|max_slice_nums|VisionMask|OriginalPadding|MoeAux(?!LossCoef)\w*|moe_aux|LabelMask|label_mask|EmptyThink\w*"
        + @"|ThinkFirst|think_first|DownsampleMode|downsample_mode|AddSystem\w*|SystemPrompts|PadToCutoff|pretrain_vlm|sft_vlm|1176)\b|14 \* 14",
        RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
