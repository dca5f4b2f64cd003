namespace Fovea.Cli.Verbs;

/// <summary>Questions from a reader, answers to a writer as they come, everything else to <paramref name="notes"/>.</summary>
/// <param name="chat">The conversation.</param>
/// <param name="options">How to choose tokens.</param>
/// <param name="output">Receives answers only.</param>
/// <param name="notes">Receives speeds, errors and what commands say.</param>
/// <param name="interrupts">Ends an answer early; null where several processes answer together.</param>
internal sealed class ChatConsole(Chat chat, GenerationOptions options, TextWriter output, TextWriter notes, ChatInterrupts? interrupts)
{
    private const string Commands = """
        /image PATH    show an image with the next question (an image path in the text, or <image>PATH</image>, does the same)
        /system TEXT   set the system prompt; without TEXT, the default one again
        /clear         begin a new conversation
        /exit          leave (also Ctrl-D)
        Ctrl-C ends the answer under way; twice leaves.
        """;

    private readonly List<string> attached = [];

    /// <summary>Shows an image with the next question.</summary>
    public void Attach(string path)
    {
        var file = ChatInput.Home(path.Trim());
        var (width, height) = Fovea.Data.Images.ImageReader.ReadSize(file);
        attached.Add(file);
        notes.WriteLine($"{file}: {width} x {height} pixels, goes with the next question");
    }

    /// <summary>Answers lines until the input ends.</summary>
    /// <param name="interactive">Somebody types: show a prompt, and where help is.</param>
    /// <returns>0; 1 when a question could not be answered and nobody was there to see it.</returns>
    public int Run(TextReader input, bool interactive)
    {
        var failed = false;
        if (interactive)
        {
            notes.WriteLine("Ask something; /help lists what else there is.");
        }

        while (true)
        {
            if (interactive)
            {
                output.Write("\n> ");
                output.Flush();
            }

            if (input.ReadLine() is not { } line)
            {
                break;
            }

            try
            {
                if (!Handle(line.Trim()))
                {
                    break;
                }
            }
            catch (FoveaException e)
            {
                notes.WriteLine($"error: {e.Message}");
                failed = true;
            }
        }

        return failed && !interactive ? 1 : 0;
    }

    /// <summary>Answers one question with everything attached so far.</summary>
    public void Ask(string line)
    {
        var question = ChatInput.Parse(line, attached);
        var cancel = interrupts?.Begin() ?? CancellationToken.None;
        ChatAnswer answer;
        try
        {
            answer = chat.Ask(question.Text, question.Images, options, Say, cancel).GetAwaiter().GetResult();
        }
        finally
        {
            interrupts?.End();
        }

        attached.Clear();
        output.WriteLine();
        output.Flush();
        notes.WriteLine(Speed(answer.Generation));
    }

    private static string Speed(GenerationResult result)
    {
        var reused = result.ReusedTokens > 0 ? $", {result.ReusedTokens} of them known" : string.Empty;
        var end = result.Reason switch
        {
            StopReason.Length => "; cut off at max_new_tokens",
            StopReason.Cancelled => "; stopped",
            _ => string.Empty,
        };
        var answer = FormattableString.Invariant($"{result.Ids.Count} tokens, {result.TokensPerSecond:f1} tokens/s");
        return FormattableString.Invariant($"[{answer}; prompt of {result.PromptTokens} tokens{reused} in {result.PromptTime.TotalSeconds:f2} s{end}]");
    }

    private bool Handle(string line)
    {
        if (line.Length == 0)
        {
            return true;
        }

        // A path may begin a question, so only known words are commands.
        var space = line.IndexOf(' ');
        var (command, rest) = space < 0 ? (line, string.Empty) : (line[..space], line[(space + 1)..].Trim());
        switch (command)
        {
            case "/exit" or "/quit":
                return false;
            case "/help":
                notes.WriteLine(Commands);
                return true;
            case "/clear":
                chat.ClearAsync().GetAwaiter().GetResult();
                attached.Clear();
                notes.WriteLine("a new conversation");
                return true;
            case "/system":
                chat.System = rest.Length == 0 ? null : rest;
                notes.WriteLine(rest.Length == 0 ? "the default system prompt again" : "system prompt set");
                return true;
            case "/image" when rest.Length > 0:
                Attach(rest);
                return true;
            case "/image":
                throw new ConfigException("/image needs a path, for instance /image photo.jpg");
        }

        if (command.Length > 1 && command[0] == '/' && command.AsSpan(1).IndexOfAnyExceptInRange('a', 'z') < 0)
        {
            throw new ConfigException($"{command} is not a command; /help lists them");
        }

        Ask(line);
        return true;
    }

    private void Say(string piece)
    {
        output.Write(piece);
        output.Flush();
    }
}
