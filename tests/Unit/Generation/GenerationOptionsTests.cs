using Fovea.Data.Tokenizers;
using Fovea.Generation;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Reading <c>generation_config.json</c>.</summary>
public sealed class GenerationOptionsTests : IDisposable
{
    private readonly Tokenizer tokenizer = Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-").FullName;

    [Fact]
    public void The_values_of_the_file_are_taken_and_stop_tokens_joined()
    {
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), """
            {"do_sample": true, "temperature": 0.1, "top_k": 5, "top_p": 0.001, "repetition_penalty": 1.05, "max_new_tokens": 77, "eos_token_id": [3, 1978]}
            """);
        var options = GenerationFile.Read(folder, tokenizer, ["<|im_end|>", "no such token"]);
        Assert.Equal((true, 77, 1.05), (options.DoSample, options.MaxNewTokens, options.RepetitionPenalty));
        Assert.Equal((0.1, 5, 0.001), (options.Temperature, options.TopK, options.TopP));
        Assert.Equal(new[] { 3, 1978, tokenizer.IdOf("<|im_end|>")!.Value }.Order(), options.StopIds);
    }

    [Fact]
    public void Without_a_file_answers_are_greedy_and_end_at_the_tokenizers_end_token()
    {
        var options = GenerationFile.Read(folder, tokenizer);
        Assert.False(options.DoSample);
        Assert.Equal([tokenizer.IdOf(tokenizer.EosToken!)!.Value], options.StopIds);
    }

    [Fact]
    public void A_malformed_file_and_values_out_of_range_are_refused_by_name()
    {
        var path = Path.Combine(folder, "generation_config.json");
        File.WriteAllText(path, "{\"eos_token_id\": \"none\"}");
        Assert.Contains(path, Assert.Throws<ConfigException>(() => GenerationFile.Read(folder, tokenizer)).Message);
        File.WriteAllText(path, "{\"do_sample\": true, \"temperature\": 0, \"top_p\": 2}");
        var problems = Assert.Throws<ConfigException>(() => GenerationFile.Read(folder, tokenizer)).Problems;
        Assert.Equal(2, problems.Count);
        Assert.All(problems, problem => Assert.StartsWith(path, problem));
    }

    [Theory]
    [InlineData("num_beams", "3")]
    [InlineData("no_repeat_ngram_size", "2")]
    [InlineData("min_p", "0.1")]
    [InlineData("suppress_tokens", "[5]")]
    [InlineData("guidance_scale", "1.5")]
    public void What_would_choose_otherwise_is_refused_by_name(string field, string value)
    {
        var path = Path.Combine(folder, "generation_config.json");
        File.WriteAllText(path, $$"""{ "do_sample": true, "{{field}}": {{value}}, "num_return_sequences": 1, "typical_p": 1.0, "length_penalty": 2.0 }""");
        Assert.Contains($"{path}: {field}", Assert.Throws<ConfigException>(() => GenerationFile.Read(folder, tokenizer)).Message);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
