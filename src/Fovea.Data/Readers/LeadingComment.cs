namespace Fovea.Data.Readers;

/// <summary>Finds comments before the first value of a data file: what follows them would be taken for lines with a row each.</summary>
internal static class LeadingComment
{
    /// <summary>What is wrong, in words that follow the file's name; null where it does not begin with a comment.</summary>
    /// <param name="stream">Stands at the beginning, behind a byte order mark.</param>
    internal static string? Problem(Stream stream)
    {
        var (line, column) = (1L, 0L);
        (long Line, long Column)? first = null;
        var isBlock = false;
        var next = Skip();
        while (next is '#' or '/')
        {
            var place = (line, column);
            var second = next == '/' ? Read() : next;
            if (second is not ('#' or '/' or '*'))
            {
                break;
            }

            first ??= place;
            isBlock |= second == '*';
            PassOver(second == '*');
            next = Skip();
        }

        // Behind comments of one line there may be rows of one line: then each comment is a row that cannot be read, and is reported as such.
        return first is var (atLine, atColumn) && (isBlock || next != '{')
            ? $"is not valid JSON at line {atLine}, column {atColumn}: {JsonProblem.Comment}"
            : null;

        int Read()
        {
            var read = stream.ReadByte();
            (line, column) = read == '\n' ? (line + 1, 0) : (line, column + 1);
            return read;
        }

        int Skip()
        {
            int read;
            do
            {
                read = Read();
            }
            while (read is ' ' or '\t' or '\r' or '\n');

            return read;
        }

        void PassOver(bool block)
        {
            for (int before = 0, read; (read = Read()) >= 0 && !(block ? before == '*' && read == '/' : read == '\n'); before = read)
            {
            }
        }
    }
}
