using Fovea.Events;
using Fovea.Runs.Files;

namespace Fovea.Tests.Unit.Runs;

public sealed class TrainerStateTests
{
    private const string Expected =
        """
        {
          "best_global_step": null,
          "best_metric": null,
          "best_model_checkpoint": null,
          "epoch": 0.5,
          "eval_steps": 500,
          "global_step": 2,
          "is_hyper_param_search": false,
          "is_local_process_zero": true,
          "is_world_process_zero": true,
          "log_history": [
            {
              "epoch": 0.25,
              "grad_norm": 1.5,
              "learning_rate": 0.0,
              "loss": 2.5,
              "step": 1
            },
            {
              "epoch": 0.5,
              "grad_norm": 1.0,
              "learning_rate": 1e-05,
              "loss": 2.0,
              "step": 2
            }
          ],
          "logging_steps": 1,
          "max_steps": 4,
          "num_input_tokens_seen": 96,
          "num_train_epochs": 1,
          "save_steps": 500,
          "stateful_callbacks": {},
          "total_flos": 0.0,
          "train_batch_size": 1,
          "trial_name": null,
          "trial_params": null
        }

        """;

    [Fact]
    public void The_file_is_what_Transformers_writes_and_reads_back_the_same()
    {
        using var folder = new TempFolder();
        var recorder = new TrainerStateRecorder(folder.Path, new TrainerState { LoggingSteps = 1, NumTrainEpochs = 1, TrainBatchSize = 1 });
        recorder.Write(new RunStarted { OutputDir = folder.Path, Model = "m", TrainableParameters = 1, AllParameters = 2, Samples = 4, TotalSteps = 4 });
        recorder.Write(new StepLogged(1, 4, 2.5, 1.5, 0, 0.25));
        recorder.Write(new StepLogged(2, 4, 2, 1, 1e-5, 0.5) { TotalTokens = 96 });

        recorder.State.Save(folder["trainer_state.json"]);
        Assert.Equal(Expected, File.ReadAllText(folder["trainer_state.json"]));

        TrainerState.Load(folder["trainer_state.json"]).Save(folder["again.json"]);
        Assert.Equal(Expected, File.ReadAllText(folder["again.json"]));
    }

    [Fact]
    public void A_resumed_run_keeps_the_history_and_foreign_keys()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["old.json"], "{\"global_step\": 7, \"epoch\": 1.5, \"log_history\": [{\"loss\": 3.0, \"step\": 7}], \"future_key\": [1]}");

        var recorder = new TrainerStateRecorder(folder.Path, TrainerState.Load(folder["old.json"]));
        recorder.Write(new StepLogged(8, 10, 2, 1, 1e-5, 1.6));
        recorder.Write(new RunFinished(10, 2, 2.5, 4) { SamplesTrained = 3, StepsTrained = 3, TotalFlos = 12 });

        var state = TrainerState.Load(folder["trainer_state.json"]);
        Assert.Equal((10, 2.0, 12.0), (state.GlobalStep, state.Epoch, state.TotalFlos));
        Assert.Equal([7L, 8L, 10L], state.LogHistory.Select(entry => entry["step"]));
        Assert.Equal(0.75, state.LogHistory[2]["train_steps_per_second"]);
        Assert.True(state.Others.ContainsKey("future_key"));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{\"epoch\": 1}")]
    [InlineData("{\"global_step\": \"two\"}")]
    [InlineData("{\"global_step\": 1, \"log_history\": 3}")]
    [InlineData("{\"global_step\": 1, \"log_history\": [1]}")]
    [InlineData("{\"global_step\": 2.5}")]
    [InlineData("{\"global_step\": 1e30}")]
    [InlineData("{\"global_step\": NaN}")]
    [InlineData("{\"global_step\": 1, \"a\": \"\\ud83d\"}")]
    public void A_file_that_is_no_state_is_refused_by_name(string text)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["bad.json"], text);

        Assert.Contains("bad.json", Assert.Throws<ConfigException>(() => TrainerState.Load(folder["bad.json"])).Message);
    }
}
