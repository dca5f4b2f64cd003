using System.Globalization;

namespace Fovea.Cli.Demo;

/// <summary>The two configurations as a user would write them. <c>examples/</c> holds them for the default folder.</summary>
internal static class DemoConfigs
{
    public static string Base(DemoFolder folder, DemoOptions options) =>
        string.Create(CultureInfo.InvariantCulture, $"""
        # The first half of '{StartedAs.Command} demo': all weights of a small model are trained to describe images.
        # After a demo:   {StartedAs.Command} train {folder.BaseConfig}   and   {StartedAs.Command} predict {folder.BaseConfig}

        # model: random weights in Hugging Face's layout
        model_name_or_path: {folder.Blank}

        # method: everything is trained, the vision tower too
        stage: sft
        do_train: true
        finetuning_type: full
        freeze_vision_tower: false
        freeze_multi_modal_projector: false
        freeze_language_model: false
        disable_gradient_checkpointing: true   # small enough to keep all activations

        # data
        dataset: {DemoData.PicturesName},{DemoData.WordsName}
        eval_dataset: {DemoData.HeldOutPicturesName}    # for fovea predict
        dataset_dir: {folder.Data}
        template: qwen2_vl
        cutoff_len: 256

        # output
        output_dir: {folder.Base}
        overwrite_output_dir: true
        logging_steps: {options.BaseLoggingSteps}
        save_strategy: "no"                    # no checkpoints on the way, only the result
        plot_loss: true

        # training
        per_device_train_batch_size: {options.BatchSize}
        gradient_accumulation_steps: 1
        learning_rate: 7.0e-4
        num_train_epochs: {options.BaseEpochs}
        adam_beta2: 0.95
        lr_scheduler_type: cosine
        warmup_ratio: 0.05
        seed: {options.Seed}

        # answers
        do_sample: false
        max_new_tokens: {DemoExam.MaxAnswerTokens}

        """);

    public static string Adapter(DemoFolder folder, DemoOptions options) =>
        string.Create(CultureInfo.InvariantCulture, $"""
        # The second half of '{StartedAs.Command} demo': LoRA teaches the model that describes pictures a question it was never asked.
        # After a demo:   {StartedAs.Command} train {folder.AdapterConfig}   and   {StartedAs.Command} predict {folder.AdapterConfig}

        # model
        model_name_or_path: {folder.Base}

        # method: adapters on every linear layer of the language model, the vision tower stays as it is
        stage: sft
        do_train: true
        finetuning_type: lora
        lora_rank: 8
        lora_target: all
        disable_gradient_checkpointing: true

        # data
        dataset: {DemoData.FruitName}
        eval_dataset: {DemoData.HeldOutFruitName}       # for fovea predict
        dataset_dir: {folder.Data}
        template: qwen2_vl
        cutoff_len: 256

        # output
        output_dir: {folder.Adapter}
        overwrite_output_dir: true
        logging_steps: {options.AdapterLoggingSteps}
        save_steps: 500
        plot_loss: true

        # training
        per_device_train_batch_size: {options.BatchSize}
        gradient_accumulation_steps: 1
        learning_rate: 4.0e-3
        num_train_epochs: {options.AdapterEpochs}
        lr_scheduler_type: cosine
        warmup_ratio: 0.1
        seed: {options.Seed}

        # answers
        do_sample: false
        max_new_tokens: {DemoExam.MaxAnswerTokens}

        """);
}
