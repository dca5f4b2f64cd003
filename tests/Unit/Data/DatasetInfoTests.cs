using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>Keys of dataset_info.json: honoured, without effect and told, or refused; never passed over.</summary>
public sealed class DatasetInfoTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("\"colums\":{}", "colums is not a key that Fovea knows; did you mean columns?")]
    [InlineData("\"file\":\"x\"", "file is not a key that Fovea knows")]
    [InlineData("\"formating\":\"alpaca\"", "formating is not a key that Fovea knows; did you mean formatting?")]
    [InlineData("\"columns\":{\"imgs\":\"images\"}", "columns.imgs is not a key that Fovea knows; did you mean columns.images?")]
    [InlineData("\"columns\":{\"pormpt\":\"q\"}", "columns.pormpt is not a key that Fovea knows; did you mean columns.prompt?")]
    [InlineData("\"columns\":{\"label\":\"q\"}", "columns.label is not a key that Fovea knows; known: prompt, query, response, history, messages")]
    [InlineData("\"tags\":{\"user_tags\":\"u\"}", "tags.user_tags is not a key that Fovea knows; did you mean tags.user_tag?")]
    [InlineData("\"tags\":{\"role\":\"u\"}", "tags.role is not a key that Fovea knows")]
    [InlineData("\"columns\":{\"images\":[\"images\"]}", "columns.images must be text, not a list")]
    [InlineData("\"columns\":\"messages\"", "columns must be a JSON object, not text")]
    [InlineData("\"tags\":{\"user_tag\":5}", "tags.user_tag must be text, not a number")]
    [InlineData("\"formatting\":true", "formatting must be text, not true or false")]
    [InlineData("\"split\":\"train[:10%]\"", "split 'train[:10%]' is not supported: a file is read whole")]
    [InlineData("\"hf_hub_url\":\"a/b\"", "a/b is on a hub, and nothing is fetched here")]
    [InlineData("\"cloud_file_name\":\"s3://x\"", "cloud_file_name is not supported")]
    [InlineData("\"ranking\":true", "ranking: true is preference data")]
    [InlineData("\"num_samples\":10", "num_samples (a random selection) is not supported")]
    [InlineData("\"columns\":{\"chosen\":\"c\"}", "columns.chosen is preference data")]
    [InlineData("\"file_name\":\"a\\u0000.json\"", "a path with a NUL character names no file")]
    [InlineData("\"file_name\":[\"rows.json\"]", "file_name must be text, not a list")]
    [InlineData("\"file_name\":\"\"", "file_name is missing")]
    public void A_key_that_would_change_the_data_or_is_unknown_is_refused_with_file_data_set_and_key(string key, string reason)
    {
        var error = Assert.Throws<ConfigException>(() => Load(key));
        Assert.Contains(reason, Assert.Single(error.Problems));
        Assert.Contains(folder.Root, error.Message);
        Assert.Contains("dataset 'd'", error.Message);
    }

    [Theory]
    [InlineData("\"columns\":{\"system\":\"\\ud800\"}")]
    [InlineData("\"\\udfff\":1")]
    public void Half_a_surrogate_pair_is_refused_with_file_and_place(string key)
    {
        var error = Assert.Throws<ConfigException>(() => Load(key));
        Assert.StartsWith(Path.Combine(folder.Root, "dataset_info.json") + " line 1, column ", Assert.Single(error.Problems));
        Assert.Contains("holds half a surrogate pair", error.Message);
    }

    [Theory]
    [InlineData("\"subset\":\"en\"", "subset is ignored: only datasets of a hub have subsets")]
    [InlineData("\"folder\":\"x\"", "folder is ignored")]
    [InlineData("\"file_sha1\":\"0\"", "file_sha1 is ignored")]
    [InlineData("\"split\":\"train\"", "split is ignored: a file is read whole")]
    [InlineData("\"columns\":{\"prompt\":\"instruction\",\"messages\":\"m\"}", "columns.messages is without effect: its formatting is alpaca")]
    [InlineData("\"tags\":{\"user_tag\":\"u\"}", "tags is without effect: its formatting is alpaca")]
    public void A_key_without_effect_is_told(string key, string notice)
    {
        using var data = Load(key);
        Assert.Contains(notice, Assert.Single(data.Notices));
    }

    [Theory]
    [InlineData("\"ranking\":false")]
    [InlineData("\"hf_hub_url\":null,\"num_samples\":0,\"script_url\":\"\",\"subset\":null")]
    [InlineData("\"columns\":null,\"tags\":null,\"formatting\":null")]
    [InlineData("\"columns\":{\"chosen\":null,\"images\":null}")]
    public void Keys_that_are_switched_off_pass_in_silence(string keys)
    {
        using var data = Load(keys);
        Assert.Equal(("Q", "A"), Assert.Single(data.Train[0].Turns()));
        Assert.Empty(data.Notices);
    }

    [Fact]
    public void A_name_that_is_no_entry_is_answered_with_the_nearest()
    {
        folder.Write("dataset_info.json", """{"receipts":{"file_name":"rows.json"},"identity":{}}""");
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(new DataOptions { Dataset = ["recipets"], DatasetDir = folder.Root }));
        Assert.EndsWith("did you mean 'receipts'?", error.Message);
    }

    private LoadedData Load(string keys)
    {
        var file = keys.StartsWith("\"file_name\"", StringComparison.Ordinal) ? string.Empty : "\"file_name\":\"rows.json\",";
        folder.Write("dataset_info.json", "{\"d\":{" + file + keys + "}}");
        folder.Write("rows.json", """[{"instruction":"Q","output":"A"}]""");
        return DatasetLoader.Load(new DataOptions { Dataset = ["d"], DatasetDir = folder.Root });
    }
}
