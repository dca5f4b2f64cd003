using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Training.Config;

/// <summary>Writes a configuration as a YAML file that reads back to the same.</summary>
internal static partial class ConfigText
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The keys whose values are not their defaults, one a line, in the order of their declaration. Secrets are left out.</summary>
    public static string Of(TrainConfig config)
    {
        var text = new StringBuilder("# Settings of this run, without those left at their default.\n");
        var (standard, told) = (new TrainConfig().ToDictionary(), config.ToDictionary());
        foreach (var key in ConfigKeys.All.Where(key => !key.Secret && told[key.Name] != standard[key.Name]))
        {
            text.Append(CultureInfo.InvariantCulture, $"{key.Name}: {Value(key.In(config), told[key.Name])}\n");
        }

        return text.ToString();
    }

    private static string Value(object? value, string shown) => value switch
    {
        string text => Word(text),
        IReadOnlyList<string> { Count: 1 } list when Plain().IsMatch(list[0]) => Word(list[0]),
        IReadOnlyList<string> list => $"[{string.Join(", ", list.Select(Word))}]",
        IReadOnlyDictionary<string, double> map => $"{{{string.Join(", ", map.Select(pair => $"{Word(pair.Key)}: {Number(pair.Value)}"))}}}",
        double number => Number(number),
        _ => shown,
    };

    // Without the point, YAML 1.1 takes 1E-05 for a word.
    private static string Number(double value)
    {
        var text = value.ToString(CultureInfo.InvariantCulture);
        return text.Contains('E') && !text.Contains('.') ? text.Replace("E", ".0E", StringComparison.Ordinal) : text;
    }

    private static string Word(string text) => Plain().IsMatch(text) && !Taken().IsMatch(text) ? text : JsonSerializer.Serialize(text, Json);

    [GeneratedRegex(@"^(?:\.{1,2}/)?[A-Za-z/][A-Za-z0-9_./@+-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Plain();

    [GeneratedRegex(@"^(?:null|true|false|yes|no|on|off|y|n)\z", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Taken();
}
