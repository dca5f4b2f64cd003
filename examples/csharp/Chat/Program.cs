// Talks with a model about images, in the terminal.
//
//   Chat models/Qwen2.5-VL-3B-Instruct [ADAPTER_FOLDER]
//
// A line that is the path of an image shows it with the next question; Ctrl-C ends an answer; an empty line leaves.
using Fovea;

if (args is not [var folder, .. var adapters])
{
    Console.Error.WriteLine("usage: Chat MODEL_FOLDER [ADAPTER_FOLDER]");
    return 2;
}

try
{
    await using var model = await VisionModel.LoadAsync(folder, new() { Adapters = adapters, Notices = Console.Error.WriteLine });
    Console.Error.WriteLine($"{model.Folder.ModelType}, {model.Parameters:N0} weights on {model.Device}");

    var chat = model.NewChat();
    var images = new List<Part>();
    while (Console.ReadLine() is { Length: > 0 } line)
    {
        if (File.Exists(line))
        {
            images.Add(Image.FromFile(line));
            continue;
        }

        using var cancel = new CancellationTokenSource();
        ConsoleCancelEventHandler stop = (_, key) =>
        {
            key.Cancel = true;
            cancel.Cancel();
        };
        Console.CancelKeyPress += stop;
        try
        {
            await foreach (var piece in chat.StreamAsync(Message.User([.. images, line]), cancel: cancel.Token))
            {
                Console.Write(piece);
            }
        }
        catch (OperationCanceledException)
        {
            // What was said by then stays part of the conversation.
        }
        finally
        {
            Console.CancelKeyPress -= stop;
        }

        Console.WriteLine();
        images.Clear();
    }

    return 0;
}
catch (FoveaException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
