"""The experiments of the coursework: rows of name, title, what it shows, and settings as on the command line.

Each family has settings in common; a row changes one thing, so that two runs differ by what the title says. Below
stands which question of which assignment asks for which of them.
"""

Row = tuple[str, str, str, str]

NETWORKS: tuple[Row, ...] = (
    ("baseline", "Network: one layer of 100", "The small network in which most other presets change one thing.", ""),
    ("softmax", "Network: no hidden layer", "Softmax regression: how far one gets without hidden units.", "hidden=[]"),
    ("units-25", "Network: one layer of 25", "A quarter of the hidden units: quicker, less accurate.", "hidden=25"),
    ("units-400", "Network: one layer of 400", "What four times the hidden units are worth.", "hidden=400"),
    (
        "depth-2",
        "Depth: 2 layers of 90",
        "About the weights of the baseline, in two hidden layers.",
        "hidden=90,90",
    ),
    (
        "depth-3",
        "Depth: 3 layers of 83",
        "About the weights of the baseline, in three hidden layers.",
        "hidden=83,83,83",
    ),
    (
        "depth-5",
        "Depth: 5 layers of 73",
        "About as many weights as the baseline, in five hidden layers: each step takes longer.",
        "hidden=73,73,73,73,73",
    ),
    (
        "depth-8",
        "Depth: 8 layers of 64",
        "About as many weights as the baseline, in eight hidden layers: does depth alone still help?",
        "hidden=64,64,64,64,64,64,64,64",
    ),
)

OPTIMIZERS: tuple[Row, ...] = tuple(
    (f"optimizer-{name}", f"Optimizer: {title}", summary, f"optimizer={name} {more}")
    for name, title, summary, more in (
        ("sgd", "SGD", "Plain gradient descent in mini-batches, to compare the others with.", "learning_rate=0.1"),
        ("momentum", "SGD with momentum", "Each step keeps nine tenths of the last one.", "learning_rate=0.01"),
        ("nesterov", "SGD with Nesterov momentum", "Momentum that looks one step ahead.", "learning_rate=0.01"),
        ("rmsprop", "RMSprop", "Divides each step by the recent size of the gradient.", "learning_rate=0.001"),
        ("adam", "Adam", "Momentum and RMSprop in one; the default here.", "learning_rate=0.001"),
        ("adamw", "AdamW", "Adam with its weight decay kept apart.", "learning_rate=0.001 weight_decay=0.01"),
        ("nadam", "NAdam", "Adam that looks one step ahead.", "learning_rate=0.001"),
        ("adagrad", "Adagrad", "Steps that shrink with the sum of all gradients so far.", "learning_rate=0.01"),
        ("adadelta", "Adadelta", "Steps whose size follows from the steps before.", "learning_rate=1"),
        ("adamax", "Adamax", "Adam that goes by the largest recent gradient.", "learning_rate=0.002"),
        ("radam", "RAdam", "Adam whose first steps are held back.", "learning_rate=0.001"),
        ("asgd", "Averaged SGD", "SGD that also averages its weights.", "learning_rate=0.1"),
        (
            "rprop",
            "Rprop",
            "Goes by the sign of the exact gradient alone, so a batch is the whole set.",
            "learning_rate=0.001 batch_size=54000 epochs=50",
        ),
    )
)

ACTIVATIONS: tuple[Row, ...] = tuple(
    (f"activation-{name}", f"Activation: {title}", summary, f"activation={name}")
    for name, title, summary in (
        ("sigmoid", "sigmoid", "The baseline with an activation whose slope is at most a quarter."),
        ("tanh", "tanh", "The baseline with an activation that is centred on zero."),
        ("leaky-relu", "leaky ReLU", "The baseline with an activation that is nowhere flat."),
        ("elu", "ELU", "The baseline with an activation that bends smoothly below zero."),
        ("gelu", "GELU", "The baseline with a smooth relative of ReLU, usual in transformers."),
        ("silu", "SiLU", "The baseline with the input times its own sigmoid."),
        ("softplus", "softplus", "The baseline with a ReLU whose corner is rounded off."),
        ("identity", "none", "Without an activation the layers together are only one linear map."),
    )
)

TRAINING: tuple[Row, ...] = (
    ("loss-mse", "Loss: mean squared error", "The baseline with the other loss: which learns faster?", "loss=mse"),
    ("dropout-25", "Dropout: a quarter of 100 units", "Mild dropout on the baseline.", "dropout=0.25"),
    ("dropout-50", "Dropout: half of 100 units", "Strong dropout on a network with few units to spare.", "dropout=0.5"),
    (
        "batch-whole",
        "Batch: the whole set",
        "Batch gradient descent: one step an epoch, along the exact gradient.",
        "optimizer=sgd learning_rate=0.5 batch_size=54000",
    ),
    (
        "batch-mini",
        "Batch: 64 images",
        "Mini-batch gradient descent: 844 steps an epoch.",
        "optimizer=sgd learning_rate=0.1 batch_size=64",
    ),
    (
        "batch-single",
        "Batch: single images",
        "Stochastic gradient descent: 54,000 small, noisy steps an epoch.",
        "optimizer=sgd learning_rate=0.005 batch_size=1",
    ),
)

CNN_COMMON = "model=cnn optimizer=momentum momentum=0.5 learning_rate=0.01 batch_size=64 epochs=10"
CNN: tuple[Row, ...] = (
    ("cnn", "CNN: baseline", "The small convolutional network in which the other CNN presets change one thing.", ""),
    ("cnn-mnist", "CNN: on MNIST", "The same network and settings on digits.", "dataset=mnist"),
    ("cnn-20", "CNN: 20 epochs", "Is there more to gain in twice the time?", "epochs=20"),
    ("cnn-mnist-20", "CNN: 20 epochs on MNIST", "Digits for twice as long.", "dataset=mnist epochs=20"),
    ("cnn-rate-low", "CNN: learning rate 0.001", "A tenth of the learning rate.", "learning_rate=0.001"),
    ("cnn-rate-high", "CNN: learning rate 0.1", "Ten times the learning rate.", "learning_rate=0.1"),
    ("cnn-sgd", "CNN: SGD", "The same learning rate without momentum.", "optimizer=sgd"),
    ("cnn-adam", "CNN: Adam", "An adaptive optimizer.", "optimizer=adam learning_rate=0.001"),
    ("cnn-rmsprop", "CNN: RMSprop", "Another adaptive optimizer.", "optimizer=rmsprop learning_rate=0.001"),
    ("cnn-dropout-0", "CNN: dropout 0", "Without dropout training and validation part sooner.", "dropout=0"),
    ("cnn-dropout-25", "CNN: dropout 0.25", "Half of the baseline's dropout.", "dropout=0.25"),
    ("cnn-dropout-50", "CNN: dropout 0.5", "The baseline's own dropout.", "dropout=0.5"),
    ("cnn-dropout-90", "CNN: dropout 0.9", "Nine of ten values switched off.", "dropout=0.9"),
    ("cnn-dropout-100", "CNN: dropout 1", "All values switched off: only a bias is left to learn.", "dropout=1"),
    ("cnn-batch-8", "CNN: batches of 8", "An eighth of the batch: more, noisier steps.", "batch_size=8"),
    ("cnn-batch-512", "CNN: batches of 512", "Eight times the batch: fewer, smoother steps.", "batch_size=512"),
    ("cnn-width-half", "CNN: half the width", "Half of all maps and units.", "width=0.5"),
    ("cnn-width-twice", "CNN: twice the width", "Twice as many maps and units.", "width=2"),
    ("cnn-norm", "CNN: batch norm", "Batch norm behind the first convolution.", "after_first=batch-norm"),
    (
        "cnn-norm-dropout",
        "CNN: batch norm, then dropout",
        "Dropout added behind the batch norm.",
        "after_first=batch-norm-dropout",
    ),
    (
        "cnn-dropout-norm",
        "CNN: dropout, then batch norm",
        "The two in the other order: batch norm now measures maps with holes.",
        "after_first=dropout-batch-norm",
    ),
    (
        "cnn-extra",
        "CNN: one convolution more",
        "A third convolution added, the first dropout left out.",
        "extra_conv=true leave_out=dropout2d",
    ),
)

LENET_COMMON = "model=lenet optimizer=adam"
LENET: tuple[Row, ...] = (
    ("lenet-mnist", "LeNet: on MNIST", "Two 5x5 convolutions and a wide dense layer on digits.", "dataset=mnist"),
    ("lenet", "LeNet: on Fashion-MNIST", "The same network on clothes, the harder set.", ""),
    ("lenet-narrow", "LeNet: half the maps", "16 and 32 maps, and half the dense units.", "features=16,32 dense=512"),
    ("lenet-wide", "LeNet: twice the maps", "64 and 128 maps: slower, and better?", "features=64,128"),
    ("lenet-kernel", "LeNet: 3x3 kernels", "Smaller kernels see less of the image.", "kernel=3"),
    ("lenet-padding", "LeNet: padding 2", "Zeros around each map, which then keeps its size.", "padding=2"),
    ("lenet-stride", "LeNet: stride 2", "Kernels that skip every second place: quicker.", "stride=2 padding=2"),
    ("lenet-average", "LeNet: average pooling", "The mean of four values, not their greatest.", "pooling=average"),
    ("lenet-tanh", "LeNet: tanh", "The activation that the first LeNets had.", "activation=tanh"),
    ("lenet-sgd", "LeNet: SGD", "Plain SGD in place of Adam.", "optimizer=sgd learning_rate=0.05"),
)

RESNET18_COMMON = "model=resnet18 optimizer=momentum learning_rate=0.01 epochs=50"
RESNET18: tuple[Row, ...] = tuple(
    (
        f"resnet18-{size}",
        f"ResNet-18: batches of {size}",
        f"Fifty epochs of the 11-million-parameter network in batches of {size}: for a GPU, or with a time budget.",
        f"batch_size={size}",
    )
    for size in (64, 256, 512)
)

MNIST_COMMON = "dataset=mnist"
MNIST: tuple[Row, ...] = (
    ("mnist-adam", "MNIST: one layer, Adam", "The baseline's settings carried over to digits.", ""),
    (
        "mnist-nadam",
        "MNIST: three layers, NAdam",
        "A deeper network with tanh and Xavier weights on digits.",
        "optimizer=nadam hidden=128,128,128 activation=tanh initialisation=xavier",
    ),
    (
        "mnist-nesterov",
        "MNIST: two layers, Nesterov",
        "A wider network with dropout and Nesterov momentum on digits.",
        "optimizer=nesterov learning_rate=0.05 hidden=256,128 dropout=0.2",
    ),
)

FAMILIES: tuple[tuple[str, tuple[Row, ...]], ...] = (
    ("", (*NETWORKS, *OPTIMIZERS, *ACTIVATIONS, *TRAINING)),
    (CNN_COMMON, CNN),
    (LENET_COMMON, LENET),
    (RESNET18_COMMON, RESNET18),
    (MNIST_COMMON, MNIST),
)

ASSIGNMENTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Deep Learning: PyTorch, FashionMNIST",
        (
            ("3. Stochastic or mini-batch gradient descent", "batch-mini batch-single"),
            ("4. Deep or shallow, with as many weights", "baseline depth-* units-* softmax"),
            ("5. Training functions", "optimizer-*"),
            ("6. Transfer functions", "baseline activation-*"),
            ("8. Dropout", "baseline dropout-*"),
            ("9. Batch, mini-batch and stochastic: time and performance", "batch-*"),
        ),
    ),
    (
        "CS910 Deep Learning, assignment 1",
        (
            (
                "2. Layers, neurons, activations and losses",
                "baseline softmax units-* depth-* activation-sigmoid activation-tanh loss-mse",
            ),
            (
                "3. Six optimizers",
                "optimizer-sgd optimizer-momentum optimizer-nesterov optimizer-rmsprop optimizer-adam optimizer-nadam",
            ),
            ("10. Three configurations for MNIST", "mnist-* transfer-mnist"),
        ),
    ),
    (
        "JHU CS 482/682 Deep Learning, assignment 1",
        (
            ("1. MNIST or Fashion-MNIST", "cnn cnn-mnist"),
            ("2. Twice as many epochs", "cnn cnn-20 cnn-mnist cnn-mnist-20"),
            ("3. Learning rate", "cnn-rate-low cnn cnn-rate-high"),
            ("4. Optimizers", "cnn-sgd cnn cnn-adam cnn-rmsprop"),
            ("5. Dropout", "cnn-dropout-[0-9]*"),
            ("6. Batch size", "cnn-batch-8 cnn cnn-batch-512"),
            ("7. Output channels", "cnn-width-half cnn cnn-width-twice"),
            ("8. Batch norm", "cnn cnn-norm"),
            ("9. Dropout after the batch norm", "cnn-norm cnn-norm-dropout"),
            ("10. Batch norm after the dropout", "cnn-norm-dropout cnn-dropout-norm"),
            ("12. One layer more, another less", "cnn cnn-extra"),
            ("15. Fine-tuning on MNIST", "cnn-mnist fine-tune-mnist"),
        ),
    ),
    ("Fashion-MNIST with PyTorch: ResNet-18", (("Batch sizes", "resnet18-*"),)),
    (
        "Deep Networks and PyTorch",
        (
            ("1a. A convolutional network for MNIST", "lenet-mnist"),
            (
                "1d. Features, kernels, padding, strides, activation, pooling, optimizers",
                "lenet lenet-narrow lenet-wide lenet-[kpsat]*",
            ),
            ("1e. From MNIST to Fashion-MNIST", "lenet-mnist lenet transfer-fashion-mnist"),
        ),
    ),
)
"""Assignments with the questions that runs answer; after each, the names of presets, `*` standing for any ending."""
