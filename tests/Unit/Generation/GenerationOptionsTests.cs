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
    public void The_settings_of_both_worlds_are_taken()
    {
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), """
            {"min_p": 0.05, "min_new_tokens": 3, "no_repeat_ngram_size": 4, "presence_penalty": 1.5, "frequency_penalty": -0.5, "stop_strings": ["###", "\n\n"]}
            """);
        var options = GenerationFile.Read(folder, tokenizer);
        Assert.Equal((0.05, 3, 4), (options.MinP, options.MinNewTokens, options.NoRepeatNgramSize));
        Assert.Equal((1.5, -0.5), (options.PresencePenalty, options.FrequencyPenalty));
        Assert.Equal(["###", "\n\n"], options.StopStrings);
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), """{"stop_strings": "END"}""");
        Assert.Equal(["END"], GenerationFile.Read(folder, tokenizer).StopStrings);
    }

    [Fact]
    public void Every_value_out_of_range_is_named_at_once()
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = 5, MinNewTokens = 6, DoSample = false, TopK = -1, TopP = 0, MinP = 1.5, RepetitionPenalty = 0, PresencePenalty = 2.5,
            FrequencyPenalty = double.NaN, NoRepeatNgramSize = -1, Count = 2, StopIds = [-1], StopStrings = ["a", ""], TopLogprobs = 21,
        };
        var problems = Assert.Throws<ConfigException>(() => options.Check("here: ")).Problems;
        string[] named =
        [
            "min_new_tokens", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "no_repeat_ngram_size", "count",
            "top_logprobs", "top_logprobs", "a stop token's id", "stop_strings",
        ];
        Assert.Equal(named.Length, problems.Count);
        Assert.All(named.Zip(problems), pair => Assert.StartsWith($"here: {pair.First}", pair.Second));
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
        File.WriteAllText(path, "{\"stop_strings\": [1]}");
        Assert.Contains(path, Assert.Throws<ConfigException>(() => GenerationFile.Read(folder, tokenizer)).Message);
        File.WriteAllText(path, "{\"eos_token_id\": \"none\"}");
        Assert.Contains(path, Assert.Throws<ConfigException>(() => GenerationFile.Read(folder, tokenizer)).Message);
        File.WriteAllText(path, "{\"do_sample\": true, \"temperature\": 0, \"top_p\": 2}");
        var problems = Assert.Throws<ConfigException>(() => GenerationFile.Read(folder, tokenizer)).Problems;
        Assert.Equal(2, problems.Count);
        Assert.All(problems, problem => Assert.StartsWith(path, problem));
    }

    [Theory]
    [InlineData("num_beams", "3")]
    [InlineData("encoder_no_repeat_ngram_size", "2")]
    [InlineData("epsilon_cutoff", "0.1")]
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
