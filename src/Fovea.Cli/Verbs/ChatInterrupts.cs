namespace Fovea.Cli.Verbs;

/// <summary>Ctrl-C: the first ends the answer under way, the second the program. Without an answer under way the first only says so.</summary>
internal sealed class ChatInterrupts : IDisposable
{
    private readonly Lock gate = new();
    private CancellationTokenSource? answer;
    private bool pressed;

    public ChatInterrupts() => Console.CancelKeyPress += OnPress;

    /// <summary>An answer begins; the token is cancelled when it is to end.</summary>
    public CancellationToken Begin()
    {
        lock (gate)
        {
            answer?.Dispose();
            answer = new CancellationTokenSource();
            pressed = false;
            return answer.Token;
        }
    }

    public void End()
    {
        lock (gate)
        {
            answer?.Dispose();
            answer = null;
            pressed = false;
        }
    }

    public void Dispose()
    {
        Console.CancelKeyPress -= OnPress;
        End();
    }

    /// <summary>Whether the program goes on.</summary>
    internal bool Press()
    {
        lock (gate)
        {
            if (pressed)
            {
                return false;
            }

            pressed = true;
            if (answer is null)
            {
                Console.Error.Write("\n(Ctrl-C again or /exit leaves)\n> ");
            }

            answer?.Cancel();
            return true;
        }
    }

    private void OnPress(object? sender, ConsoleCancelEventArgs e) => e.Cancel = Press();
}
