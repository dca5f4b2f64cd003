using System.Text;

namespace Fovea.Evaluation.Tables;

/// <summary>
/// Rows of a table whose fields tabs part, as pandas writes them: a field with a tab, a quote or a line's end stands in quotes, and a quote within it twice.
/// The first line names the columns. Fields of any length; the file is read once, row by row.
/// </summary>
internal static class TsvFile
{
    private const char Tab = '\t';

    /// <summary>The line in which each row begins, and its fields by column.</summary>
    /// <exception cref="ConfigException">The file cannot be read, names no columns, or a row is malformed; names file and line.</exception>
    public static IEnumerable<(int Line, Dictionary<string, object?> Fields)> Rows(string path)
    {
        string[]? names = null;
        foreach (var (line, fields) in Records(path))
        {
            if (names is null)
            {
                names = Names(path, fields);
                continue;
            }

            if (fields.Count != names.Length)
            {
                throw new ConfigException($"{path}, line {line}: {fields.Count} fields where the first line names {names.Length}; "
                    + "is a quote or a tab in a field that does not stand in quotes?");
            }

            var row = new Dictionary<string, object?>(names.Length, StringComparer.Ordinal);
            for (var i = 0; i < names.Length; i++)
            {
                if (names[i].Length > 0)
                {
                    row[names[i]] = fields[i];
                }
            }

            yield return (line, row);
        }

        if (names is null)
        {
            throw new ConfigException($"{path} is empty; its first line must name the columns");
        }
    }

    private static string[] Names(string path, List<string> fields)
    {
        // pandas writes its own index as a column without a name, which is left out.
        var names = fields.Select(PythonText.Trim).ToArray();
        if (fields.Count == 1)
        {
            throw new ConfigException($"{path}: its first line names one column; the columns of a .tsv are parted by tabs");
        }

        return names.Where(name => name.Length > 0).GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice
            ? throw new ConfigException($"{path}: its first line names the column {Problems.Brief(twice.Key)} twice")
            : names;
    }

    private static IEnumerable<(int Line, List<string> Fields)> Records(string path)
    {
        using var reader = TextFile.Open(path);
        var (buffer, length, at) = (new char[1 << 16], 0, 0);
        var (field, fields) = (new StringBuilder(), new List<string>());
        var (line, start, quoteLine) = (1, 1, 0);
        var state = State.FieldStart;
        var last = '\0';
        while (true)
        {
            if (at == length)
            {
                length = reader.Read(buffer, 0, buffer.Length);
                at = 0;
                if (length == 0)
                {
                    break;
                }
            }

            if (state is State.Quoted or State.Plain)
            {
                // Most of a file is base64: whole stretches are taken.
                var stretch = buffer.AsSpan(at, length - at).IndexOfAny(state == State.Quoted ? '"' : Tab, '\n', '\r');
                var count = stretch < 0 ? length - at : stretch;
                field.Append(buffer, at, count);
                at += count;
                last = count > 0 ? '\0' : last;
                if (stretch < 0)
                {
                    continue;
                }
            }

            var c = buffer[at++];
            line += c == '\r' || (c == '\n' && last != '\r') ? 1 : 0;
            var isSecond = c == '\n' && last == '\r';
            last = c;
            switch (state)
            {
                case State.Quoted when c == '"':
                    state = State.QuoteSeen;
                    break;
                case State.Quoted:
                    field.Append(c);
                    break;
                case State.QuoteSeen when c == '"':
                    field.Append(c);
                    state = State.Quoted;
                    break;
                case State.FieldStart when c == '"':
                    (state, quoteLine) = (State.Quoted, line);
                    break;
                case not State.Quoted when c == Tab:
                    EndField();
                    break;
                case not State.Quoted when c is '\n' or '\r':
                    if (!isSecond && (fields.Count > 0 || field.Length > 0 || state == State.QuoteSeen))
                    {
                        EndField();
                        yield return (start, fields);
                        fields = [];
                    }

                    start = line;
                    break;
                case State.QuoteSeen:
                    throw new ConfigException($"{path}, line {line}: text behind the closing quote of field {fields.Count + 1}; "
                        + "a quote within a field is written twice, and the field stands in quotes");
                default:
                    field.Append(c);
                    state = State.Plain;
                    break;
            }
        }

        if (state == State.Quoted)
        {
            throw new ConfigException($"{path}: the quote that opens in line {quoteLine} is never closed; was the file cut?");
        }

        if (fields.Count > 0 || field.Length > 0)
        {
            EndField();
            yield return (start, fields);
        }

        void EndField()
        {
            fields.Add(field.ToString());
            field.Clear();
            state = State.FieldStart;
        }
    }

    private enum State
    {
        FieldStart,
        Plain,
        Quoted,
        QuoteSeen,
    }
}
