using Fovea.Data.Tokenizers;
using Fovea.Models;
using Fovea.Models.Vocabularies;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>The model folder of a configuration, with the tokens that the configuration and its adapters add.</summary>
internal static class BaseModel
{
    /// <exception cref="ConfigException">There is no config.json, it names a type that is not supported, or the tokens cannot be added.</exception>
    public static ModelSource Open(TrainConfig config) => With(ModelSource.Open(config.Model.ModelNameOrPath), config);

    /// <summary>The same for who has opened the folder.</summary>
    public static ModelSource With(ModelSource source, TrainConfig config) => source.Vocabulary is not null ? source : AdapterTokens.Over(
        source, config.Model.AdapterNameOrPath, NewTokens(config.Model), config.Model.InitSpecialTokens, config.Model.ResizeVocab);

    /// <summary>Tokens that the configuration adds and that neither the model's folder nor its adapters have.</summary>
    public static IReadOnlyList<string> FreshTokens(TrainConfig config)
    {
        var tokens = NewTokens(config.Model);
        if (tokens.Count == 0)
        {
            return [];
        }

        var source = ModelSource.Open(config.Model.ModelNameOrPath);
        var known = AdapterTokens.Over(source, config.Model.AdapterNameOrPath).Vocabulary?.Tokenizer ?? Tokenizer.Load(source.Folder);
        return [.. tokens.Select(token => token.Content).Where(token => known.IdOf(token) is null)];
    }

    private static IReadOnlyList<NewToken> NewTokens(ModelSection model) =>
    [
        .. model.AddTokens.Select(token => new NewToken(token, Special: false)),
        .. model.NewSpecialTokensConfig is { } file ? Described(file) : model.AddSpecialTokens.Select(token => new NewToken(token, Special: true)),
    ];

    private static IEnumerable<NewToken> Described(string file)
    {
        var entries = ConfigFile.Read(file);
        return entries.Count == 0
            ? throw new ConfigException($"new_special_tokens_config: {file} has no tokens: it is a map from tokens to what they mean")
            : entries.Select(entry => entry.Value is ConfigNode.Scalar { Text: { } text }
                ? new NewToken(entry.Key, Special: true, text)
                : throw new ConfigException($"new_special_tokens_config: {file}: {entry.Key} must have a text that says what it means"));
    }
}
