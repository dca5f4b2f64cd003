using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Fovea.Training.Config;

/// <summary>Parses YAML into entries of a configuration; neither depth nor aliases within aliases can exhaust the machine.</summary>
internal static class YamlText
{
    // Far more than any configuration has.
    private const int MostLevels = 64;
    private const int MostValues = 100_000;

    /// <summary>The root of the one document; null where there is none.</summary>
    /// <param name="name">How messages call it.</param>
    /// <exception cref="ConfigException">It is not YAML, or more than one document.</exception>
    public static YamlNode? Parse(string text, string name)
    {
        var stream = new YamlStream();
        try
        {
            Check(text, name);
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new ConfigException($"{name} line {e.Start.Line}, column {e.Start.Column}: not valid YAML: {e.Message}");
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            // The parser loses its way in some unclosed brackets and odd directives.
            throw new ConfigException($"{name}: not valid YAML: check that every bracket, brace and quote is closed");
        }

        return stream.Documents.Count switch
        {
            0 => null,
            1 => stream.Documents[0].RootNode,
            _ => throw new ConfigException($"{name}: a configuration is one list of lines 'key: value', without --- between parts"),
        };
    }

    /// <exception cref="ConfigException">Aliases make it endless or far too large.</exception>
    public static ConfigNode Convert(YamlNode node, string name)
    {
        var values = 0;
        return Convert(node, 0);

        ConfigNode Convert(YamlNode node, int level)
        {
            if (++values > MostValues || level > MostLevels)
            {
                throw new ConfigException($"{name}: its aliases (*name) stand for more than {MostValues} values or {MostLevels} levels; write the values out");
            }

            return node switch
            {
                YamlSequenceNode list => new ConfigNode.Items([.. list.Children.Select(item => Convert(item, level + 1))]),
                YamlMappingNode map => new ConfigNode.Map(
                    [.. map.Children.Select(pair => KeyValuePair.Create(KeyOf(pair.Key), Convert(pair.Value, level + 1)))]),
                YamlScalarNode { Style: ScalarStyle.Plain } scalar => ConfigNode.Scalar.Plain(scalar.Value),
                YamlScalarNode scalar => new ConfigNode.Scalar(scalar.Value),
                _ => new ConfigNode.Scalar(null),
            };
        }
    }

    public static string KeyOf(YamlNode key) => key switch
    {
        YamlScalarNode { Value: { } text } => text,
        YamlScalarNode => "null",
        YamlSequenceNode => "[...]",
        _ => "{...}",
    };

    /// <summary>What an escape such as <c>"\ud83d"</c> leaves behind.</summary>
    private static bool HasHalfPair(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Looks at the text piece by piece, before anything is built from it.</summary>
    private static void Check(string text, string name)
    {
        var parser = new Parser(new StringReader(text));
        for (var level = 0; parser.MoveNext();)
        {
            var at = parser.Current!.Start;
            level += parser.Current.NestingIncrease;
            if (level > MostLevels)
            {
                throw new ConfigException($"{name} line {at.Line}, column {at.Column}: nested deeper than {MostLevels} levels");
            }

            if (parser.Current is Scalar scalar && HasHalfPair(scalar.Value))
            {
                throw new ConfigException($"{name} line {at.Line}, column {at.Column}: half a surrogate pair (\\ud83d alone), which is no character");
            }
        }
    }
}
