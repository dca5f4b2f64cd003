using System.Text;

namespace Fovea.Data.Readers;

/// <summary>The fields of one CSV record.</summary>
/// <param name="Fields">Without quotes.</param>
/// <param name="Problem">What is wrong with it, in words that follow the row's name; null where nothing is.</param>
internal sealed record CsvRecord(IReadOnlyList<string> Fields, string? Problem)
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="bytes">The record without its line's end.</param>
    internal static CsvRecord Parse(ReadOnlySpan<byte> bytes)
    {
        var fields = new List<string>();
        var field = new byte[bytes.Length];
        var length = 0;
        var scanner = default(CsvScanner);
        string? problem = null;
        foreach (var value in bytes)
        {
            switch (scanner.Next(value))
            {
                case CsvScanner.Sort.Content:
                    field[length++] = value;
                    break;
                case CsvScanner.Sort.FieldEnd:
                    Finish();
                    break;
            }

            if (scanner.IsStray)
            {
                problem ??= $"has text behind the closing quote of field {fields.Count + 1}: a quote within a field is written twice";
            }
        }

        Finish();
        return new CsvRecord(fields, problem);

        void Finish()
        {
            if (field.AsSpan(0, length).Contains((byte)0))
            {
                problem ??= $"holds a NUL byte in field {fields.Count + 1}, which no text has";
            }

            try
            {
                fields.Add(Strict.GetString(field, 0, length));
            }
            catch (DecoderFallbackException)
            {
                problem ??= $"is not UTF-8 in field {fields.Count + 1}; save the file as UTF-8";
                fields.Add(string.Empty);
            }

            length = 0;
        }
    }
}
