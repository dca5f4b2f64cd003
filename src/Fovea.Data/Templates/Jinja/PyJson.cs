using System.Globalization;
using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary><c>json.dumps</c>, as the filter <c>tojson</c> of Transformers calls it.</summary>
/// <param name="indent">What one level is moved in by; null for one line.</param>
/// <param name="between">Between items.</param>
/// <param name="colon">Between key and value.</param>
internal sealed class PyJson(Work work, bool ascii, string? indent, string between, string colon, bool sorts)
{
    private readonly StringBuilder text = new();

    public string Write(object? value)
    {
        Append(value, depth: 0);
        return work.Charge(text.ToString());
    }

    private void Append(object? value, int depth)
    {
        work.Enter();
        if (text.Length > work.Limits.Characters)
        {
            work.Charge(text.ToString());
        }

        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case bool flag:
                text.Append(flag ? "true" : "false");
                break;
            case long whole:
                text.Append(whole.ToString(CultureInfo.InvariantCulture));
                break;
            case double real:
                text.Append(PythonJson.Float(real));
                break;
            case string words:
                PythonJson.AppendText(text, work.Charge(words), ascii);
                break;
            case PyList list:
                AppendAll('[', ']', list.Items, depth, item => Append(item, depth + 1));
                break;
            case PyDict dict:
                var pairs = dict.Pairs.ToList();
                if (sorts)
                {
                    pairs.Sort((one, other) => PyCompare.Order(work, "<", one.Key, other.Key));
                }

                AppendAll('{', '}', pairs, depth, pair =>
                {
                    PythonJson.AppendText(text, Key(pair.Key), ascii);
                    text.Append(colon);
                    Append(pair.Value, depth + 1);
                });
                break;
            default:
                throw new ValueException($"a value of type '{PyType.Name(value)}' has no JSON form");
        }

        work.Leave();
    }

    private string Key(object? key) => key as string ?? (key is null ? "null" : key is bool flag ? (flag ? "true" : "false") : PyText.Of(work, key));

    private void AppendAll<T>(char open, char close, IReadOnlyList<T> items, int depth, Action<T> append)
    {
        text.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            text.Append(i == 0 ? string.Empty : between);
            NewLine(depth + 1);
            append(items[i]);
        }

        if (items.Count > 0)
        {
            NewLine(depth);
        }

        text.Append(close);
    }

    private void NewLine(int depth)
    {
        if (indent is not null)
        {
            text.Append('\n').Insert(text.Length, indent, depth);
        }
    }
}
