using Fovea.Data.Formats;

namespace Fovea.Data.Datasets;

/// <summary>
/// Every key that LLaMA-Factory reads in an entry of <c>dataset_info.json</c>: honoured, accepted without effect, or refused, as the keys of a configuration.
/// Those of objects and weights are our own.
/// </summary>
internal static class DatasetEntryKeys
{
    private const string NoDownload = "is not supported (nothing is downloaded or executed): save the rows as json or jsonl and name them by file_name";
    private const string Preference = "is preference data, which supervised fine-tuning cannot use";

    internal static IReadOnlyList<string> Entry { get; } =
        ["file_name", "hf_hub_url", "ms_hub_url", "subset", "folder", "split", "formatting", "columns", "tags", "bbox_type"];

    internal static IReadOnlyList<string> Columns { get; } =
        ["prompt", "query", "response", "history", "messages", "system", "tools", "images", "videos", "audios", "objects", "weight"];

    internal static IReadOnlyList<string> Tags { get; } =
        ["role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag"];

    /// <summary>Refused unless they are off (null, false, 0 or empty).</summary>
    internal static IReadOnlyDictionary<string, string> Refused { get; } = new Dictionary<string, string>
    {
        ["om_hub_url"] = NoDownload,
        ["script_url"] = NoDownload,
        ["cloud_file_name"] = NoDownload,
        ["ranking"] = Preference,
        ["num_samples"] = "(a random selection) is not supported: use max_samples, or a smaller file",
        ["columns.chosen"] = Preference,
        ["columns.rejected"] = Preference,
        ["columns.kto_tag"] = Preference,
    };

    internal static IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>
    {
        ["file_sha1"] = "files are not compared with a hash",
        ["load_from"] = "datasets are read from files",
    };

    /// <summary>The column key that a field of this name would be given by, were it described.</summary>
    internal static string? ColumnFor(string field, IRowFormat format) =>
        format.KeyFor(field) ?? (Columns.Contains(field) && !format.WithoutEffect.Contains(field) ? field : null);
}
