using System.CommandLine;
using System.Runtime.CompilerServices;
using Fovea.Tensors;

namespace Fovea.Probe;

/// <summary><c>self-check</c>: loads libtorch and sees whether .NET still gets its own faults as exceptions afterwards.</summary>
internal static class SelfCheckVerb
{
    public static Command Create()
    {
        var verb = new Command("self-check", "Loads libtorch and provokes the exceptions that a signal handler of another library would turn into an abort.");
        verb.SetAction(result => Run(result.InvocationConfiguration.Output));
        return verb;
    }

    private static int Run(TextWriter output)
    {
        using (TensorScope.Open("step"))
        {
            output.WriteLine($"libtorch computes: {string.Join(' ', CreateOps.Arange(0, 4, dtype: DType.F32).ToArray<float>())}");
        }

        // Twice each, on this thread and another: a handler that was replaced once may be restored for the next time only.
        var worker = new Thread(() => Provoke(output));
        Provoke(output);
        worker.Start();
        worker.Join();
        return 0;
    }

    private static void Provoke(TextWriter output)
    {
        for (var i = 0; i < 2; i++)
        {
            try
            {
                output.WriteLine(Length(null!));
            }
            catch (NullReferenceException)
            {
                output.WriteLine("caught NullReferenceException");
            }

            try
            {
                output.WriteLine(Quotient(1, i - i));
            }
            catch (DivideByZeroException)
            {
                output.WriteLine("caught DivideByZeroException");
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Length(int[] values) => values.Length;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Quotient(int a, int b) => a / b;
}
