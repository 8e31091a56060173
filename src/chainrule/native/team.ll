; The same table run by a team: every thread goes through all rows and takes its slice of each. See team.py.

; Groups that different threads write lie on cache lines of their own.
%Team = type {
  i64, i64, i64, i64,                 ; 0 size, 1 process, 2 quit, 3 spins
  ptr, ptr, [2 x i64],                ; 4 contexts of thread 0, 1, ..., 5 workers
  ptr, i64, i64, i64, [4 x i64],      ; 7 rows, 8 first, 9 last, 10 code: the job, and how it ended
  i64, [7 x i64],                     ; 12 busy: who has the team: 0 nobody, 1 a call, 2 a fork
  i64, [7 x i64],                     ; 14 jobs: how many there were
  i64, [7 x i64],                     ; 16 arrived: how many threads have come to the barrier
  i64, [7 x i64],                     ; 18 passed: how many barriers have been passed
  i64, [7 x i64],                     ; 20 sleepers
  [128 x i8], [128 x i8]              ; 22 mutex, 23 condition
}
;                team thread jobs: as many as there were before; what pthread_create called it
%Worker = type { ptr, i64, i64, ptr }

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(ptr, ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @getpid()
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)

define void @team_init(ptr %team) {
  %mutex = getelementptr %Team, ptr %team, i64 0, i32 22
  %condition = getelementptr %Team, ptr %team, i64 0, i32 23
  %a = call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  %b = call i32 @pthread_cond_init(ptr %condition, ptr null)
  ret void
}

; 1 if the team is now the caller's, 0 if somebody else has it.
define internal i64 @take(ptr %team, i64 %who) {
  %busy = getelementptr %Team, ptr %team, i64 0, i32 12
  %was = cmpxchg ptr %busy, i64 0, i64 %who seq_cst seq_cst
  %free = extractvalue { i64, i1 } %was, 1
  %taken = zext i1 %free to i64
  ret i64 %taken
}

; Does nothing if the team is not the caller's.
define void @team_release(ptr %team, i64 %who) {
  %busy = getelementptr %Team, ptr %team, i64 0, i32 12
  %was = cmpxchg ptr %busy, i64 %who, i64 0 seq_cst seq_cst
  ret void
}

; Wait until a counter is no longer what it was: look a while, then sleep.
define internal void @wait(ptr %team, ptr %counter, i64 %old) {
start:
  %spins.at = getelementptr %Team, ptr %team, i64 0, i32 3
  %spins = load i64, ptr %spins.at
  br label %look
look:
  %left = phi i64 [ %spins, %start ], [ %fewer, %pause ]
  %seen = load atomic i64, ptr %counter acquire, align 8
  %moved = icmp ne i64 %seen, %old
  br i1 %moved, label %end, label %again
again:
  %tired = icmp eq i64 %left, 0
  br i1 %tired, label %lie.down, label %pause
pause:
  %fewer = sub i64 %left, 1
  call void @pause()
  br label %look
lie.down:
  ; First counted as a sleeper, then a look at the counter under the lock; who moves it first moves it, then looks for
  ; sleepers. Both in sequentially consistent order, so one of the two sees the other, and no call to wake is lost.
  %sleepers = getelementptr %Team, ptr %team, i64 0, i32 20
  %mutex = getelementptr %Team, ptr %team, i64 0, i32 22
  %condition = getelementptr %Team, ptr %team, i64 0, i32 23
  %before = atomicrmw add ptr %sleepers, i64 1 seq_cst
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  br label %in.bed
in.bed:
  %now = load atomic i64, ptr %counter seq_cst, align 8
  %still = icmp eq i64 %now, %old
  br i1 %still, label %sleep, label %get.up
sleep:
  %woken = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %in.bed
get.up:
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  %others = atomicrmw sub ptr %sleepers, i64 1 seq_cst
  br label %end
end:
  ret void
}

; Move a counter on, and wake who sleeps.
define internal void @move(ptr %team, ptr %counter) {
  %was = atomicrmw add ptr %counter, i64 1 seq_cst
  %sleepers.at = getelementptr %Team, ptr %team, i64 0, i32 20
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %awake = icmp eq i64 %sleepers, 0
  br i1 %awake, label %end, label %wake
wake:
  %mutex = getelementptr %Team, ptr %team, i64 0, i32 22
  %condition = getelementptr %Team, ptr %team, i64 0, i32 23
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %told = call i32 @pthread_cond_broadcast(ptr %condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}

; Nobody goes on before all have come. With %check the last to come collects the errors while all others stand still,
; so that all threads then see the same code and stop together, or go on together.
define internal void @barrier(ptr %team, i64 %size, i1 %check) {
start:
  %arrived.at = getelementptr %Team, ptr %team, i64 0, i32 16
  %passed.at = getelementptr %Team, ptr %team, i64 0, i32 18
  %passed = load atomic i64, ptr %passed.at acquire, align 8
  %before = atomicrmw add ptr %arrived.at, i64 1 acq_rel
  %arrived = add i64 %before, 1
  %last = icmp eq i64 %arrived, %size
  br i1 %last, label %all.here, label %not.all
not.all:
  call void @wait(ptr %team, ptr %passed.at, i64 %passed)
  ret void
all.here:
  store atomic i64 0, ptr %arrived.at monotonic, align 8
  br i1 %check, label %collect, label %open
collect:
  call void @collect(ptr %team, i64 %size)
  br label %open
open:
  call void @move(ptr %team, ptr %passed.at)
  ret void
}

; The smallest error code of all threads that have one.
define internal void @collect(ptr %team, i64 %size) {
start:
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 4
  %contexts = load ptr, ptr %contexts.at
  br label %look
look:
  %t = phi i64 [ 0, %start ], [ %next, %look ]
  %least = phi i64 [ -1, %start ], [ %lesser, %look ] ; as an unsigned number: none
  %context.at = getelementptr ptr, ptr %contexts, i64 %t
  %context = load ptr, ptr %context.at
  %code = load i64, ptr %context
  %below = sub i64 %code, 1 ; turns 0, which is no error, into the largest unsigned number
  %lesser = call i64 @llvm.umin.i64(i64 %least, i64 %below)
  %next = add i64 %t, 1
  %more = icmp ult i64 %next, %size
  br i1 %more, label %look, label %tell
tell:
  %result = add i64 %lesser, 1
  %code.at = getelementptr %Team, ptr %team, i64 0, i32 10
  store i64 %result, ptr %code.at
  ret void
}

; What thread %t has to do of a table. All threads return together.
define internal void @share(ptr %team, i64 %t, i64 %size) {
start:
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 4
  %contexts = load ptr, ptr %contexts.at
  %context.at = getelementptr ptr, ptr %contexts, i64 %t
  %context = load ptr, ptr %context.at
  store i64 0, ptr %context
  %rows.at = getelementptr %Team, ptr %team, i64 0, i32 7
  %rows = load ptr, ptr %rows.at
  %first.at = getelementptr %Team, ptr %team, i64 0, i32 8
  %first = load i64, ptr %first.at
  %last.at = getelementptr %Team, ptr %team, i64 0, i32 9
  %last = load i64, ptr %last.at
  %code.at = getelementptr %Team, ptr %team, i64 0, i32 10
  br label %next
next:
  %r = phi i64 [ %first, %start ], [ %after, %done ], [ %after, %check ]
  %more = icmp slt i64 %r, %last
  br i1 %more, label %row, label %end
row:
  %row.at = getelementptr %Row, ptr %rows, i64 %r
  %flags.at = getelementptr %Row, ptr %row.at, i64 0, i32 8
  %flags = load i64, ptr %flags.at
  %barrier.bit = and i64 %flags, 1
  %free = icmp eq i64 %barrier.bit, 0
  br i1 %free, label %work, label %meet
meet:
  call void @barrier(ptr %team, i64 %size, i1 false)
  br label %work
work:
  call void @slice(ptr %row.at, i64 %t, i64 %size, ptr %context)
  br label %done
done:
  %after = add i64 %r, 1
  %check.bit = and i64 %flags, 2
  %unchecked = icmp eq i64 %check.bit, 0
  br i1 %unchecked, label %next, label %check
check:
  call void @barrier(ptr %team, i64 %size, i1 true)
  %code = load i64, ptr %code.at
  %fine = icmp eq i64 %code, 0
  br i1 %fine, label %next, label %end
end:
  call void @barrier(ptr %team, i64 %size, i1 true)
  ret void
}

; The slice of a row that is thread %t's: of n units of grain each, from n t / T to n (t + 1) / T, both rounded up.
define internal void @slice(ptr %row, i64 %t, i64 %size, ptr %context) {
start:
  %kernel = load ptr, ptr %row
  %args.at = getelementptr %Row, ptr %row, i64 0, i32 1
  %args = load ptr, ptr %args.at
  %i0.at = getelementptr %Row, ptr %row, i64 0, i32 2
  %i0 = load i64, ptr %i0.at
  %i1.at = getelementptr %Row, ptr %row, i64 0, i32 3
  %i1 = load i64, ptr %i1.at
  %j0.at = getelementptr %Row, ptr %row, i64 0, i32 4
  %j0 = load i64, ptr %j0.at
  %j1.at = getelementptr %Row, ptr %row, i64 0, i32 5
  %j1 = load i64, ptr %j1.at
  %split.at = getelementptr %Row, ptr %row, i64 0, i32 6
  %split = load i64, ptr %split.at
  %whole = icmp eq i64 %split, 0
  br i1 %whole, label %for.first, label %divide
for.first:
  %mine = icmp eq i64 %t, 0
  br i1 %mine, label %all, label %end
all:
  call void %kernel(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context)
  br label %end
divide:
  %grain.at = getelementptr %Row, ptr %row, i64 0, i32 7
  %grain.given = load i64, ptr %grain.at
  %grain = call i64 @llvm.umax.i64(i64 %grain.given, i64 1)
  %most.at = getelementptr %Row, ptr %row, i64 0, i32 9
  %most = load i64, ptr %most.at
  %most.or.many = sub i64 %most, 1 ; 0, which is no limit, becomes the largest unsigned number
  %size.less = sub i64 %size, 1
  %threads.less = call i64 @llvm.umin.i64(i64 %most.or.many, i64 %size.less)
  %threads = add i64 %threads.less, 1
  %takes.part = icmp ult i64 %t, %threads
  br i1 %takes.part, label %cut, label %end
cut:
  %over.i = icmp eq i64 %split, 1
  %low = select i1 %over.i, i64 %i0, i64 %j0
  %high = select i1 %over.i, i64 %i1, i64 %j1
  %extent = sub i64 %high, %low
  %rounded = add i64 %extent, %grain
  %rounded.up = sub i64 %rounded, 1
  %units = udiv i64 %rounded.up, %grain
  %from.exact = mul i64 %units, %t
  %from.scaled = add i64 %from.exact, %threads.less
  %from.unit = udiv i64 %from.scaled, %threads
  %to.scaled = add i64 %from.scaled, %units
  %to.unit = udiv i64 %to.scaled, %threads
  %from.offset = mul i64 %from.unit, %grain
  %to.offset = mul i64 %to.unit, %grain
  %from = add i64 %low, %from.offset
  %to.whole = add i64 %low, %to.offset
  %to = call i64 @llvm.umin.i64(i64 %to.whole, i64 %high)
  %something = icmp slt i64 %from, %to
  br i1 %something, label %run, label %end
run:
  %a0 = select i1 %over.i, i64 %from, i64 %i0
  %a1 = select i1 %over.i, i64 %to, i64 %i1
  %b0 = select i1 %over.i, i64 %j0, i64 %from
  %b1 = select i1 %over.i, i64 %j1, i64 %to
  call void %kernel(ptr %args, i64 %a0, i64 %a1, i64 %b0, i64 %b1, ptr %context)
  br label %end
end:
  ret void
}

; Run a table with the whole team; alone if somebody else has the team, or if there is none in this process.
define i64 @run_team(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context) {
start:
  %taken = call i64 @take(ptr %team, i64 1)
  %mine = icmp eq i64 %taken, 1
  br i1 %mine, label %ask, label %alone
ask:
  %size = load i64, ptr %team
  %crowd = icmp ugt i64 %size, 1
  %process.at = getelementptr %Team, ptr %team, i64 0, i32 1
  %process = load i64, ptr %process.at
  %here = call i32 @getpid()
  %here.wide = zext i32 %here to i64
  %at.home = icmp eq i64 %process, %here.wide
  %can = and i1 %crowd, %at.home
  br i1 %can, label %together, label %give.back
give.back:
  call void @team_release(ptr %team, i64 1)
  br label %alone
alone:
  %code.alone = call i64 @run_alone(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context)
  ret i64 %code.alone
together:
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 4
  %contexts = load ptr, ptr %contexts.at
  store ptr %context, ptr %contexts
  %rows.at = getelementptr %Team, ptr %team, i64 0, i32 7
  store ptr %rows, ptr %rows.at
  %first.at = getelementptr %Team, ptr %team, i64 0, i32 8
  store i64 %first, ptr %first.at
  %last.at = getelementptr %Team, ptr %team, i64 0, i32 9
  store i64 %last, ptr %last.at
  %jobs.at = getelementptr %Team, ptr %team, i64 0, i32 14
  call void @move(ptr %team, ptr %jobs.at)
  call void @share(ptr %team, i64 0, i64 %size)
  %code.at = getelementptr %Team, ptr %team, i64 0, i32 10
  %code = load i64, ptr %code.at
  call void @team_release(ptr %team, i64 1)
  ret i64 %code
}

; The life of a worker: wait for a job, do its share, until told to quit.
define internal ptr @worker(ptr %self) {
start:
  %team = load ptr, ptr %self
  %t.at = getelementptr %Worker, ptr %self, i64 0, i32 1
  %t = load i64, ptr %t.at
  %jobs.seen.at = getelementptr %Worker, ptr %self, i64 0, i32 2
  %jobs.seen = load i64, ptr %jobs.seen.at
  %jobs.at = getelementptr %Team, ptr %team, i64 0, i32 14
  %quit.at = getelementptr %Team, ptr %team, i64 0, i32 2
  br label %idle
idle:
  %seen = phi i64 [ %jobs.seen, %start ], [ %now, %work ]
  call void @wait(ptr %team, ptr %jobs.at, i64 %seen)
  %now = add i64 %seen, 1
  %quit = load i64, ptr %quit.at
  %stay = icmp eq i64 %quit, 0
  br i1 %stay, label %work, label %go
work:
  %size = load i64, ptr %team
  call void @share(ptr %team, i64 %t, i64 %size)
  br label %idle
go:
  ret ptr null
}

; Make %count workers, for a team that has none. 0 if somebody else has the team just now, else 1. Starting and stopping
; are one call each, which no Python signal handler can interrupt half-way.
define i64 @team_start(ptr %team, ptr %contexts, ptr %workers, i64 %count, i64 %process, i64 %set.mask) {
start:
  %taken = call i64 @take(ptr %team, i64 1)
  %mine = icmp eq i64 %taken, 1
  br i1 %mine, label %ask, label %no
no:
  ret i64 0
ask:
  %size = load i64, ptr %team
  %none = icmp eq i64 %size, 0
  br i1 %none, label %make, label %done
make:
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 4
  store ptr %contexts, ptr %contexts.at
  %workers.at = getelementptr %Team, ptr %team, i64 0, i32 5
  store ptr %workers, ptr %workers.at
  %process.at = getelementptr %Team, ptr %team, i64 0, i32 1
  store i64 %process, ptr %process.at
  call void @hire(ptr %team, ptr %workers, i64 %count, i64 %set.mask)
  br label %done
done:
  call void @team_release(ptr %team, i64 1)
  ret i64 1
}

; The workers inherit a mask that keeps all signals from them; %set.mask is the number of SIG_SETMASK. There are fewer
; where the system gives no more threads.
define internal void @hire(ptr %team, ptr %workers, i64 %count, i64 %set.mask) {
start:
  %blocked = alloca [128 x i8], align 16 ; as large as any sigset_t
  %former = alloca [128 x i8], align 16
  %jobs.at = getelementptr %Team, ptr %team, i64 0, i32 14
  %jobs = load i64, ptr %jobs.at
  %set.mask.int = trunc i64 %set.mask to i32
  %filled = call i32 @sigfillset(ptr %blocked)
  %masked = call i32 @pthread_sigmask(i32 %set.mask.int, ptr %blocked, ptr %former)
  br label %next
next:
  %k = phi i64 [ 0, %start ], [ %t, %one ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %done
one:
  %t = add i64 %k, 1
  %worker = getelementptr %Worker, ptr %workers, i64 %k
  store ptr %team, ptr %worker
  %t.at = getelementptr %Worker, ptr %worker, i64 0, i32 1
  store i64 %t, ptr %t.at
  %jobs.seen.at = getelementptr %Worker, ptr %worker, i64 0, i32 2
  store i64 %jobs, ptr %jobs.seen.at
  %thread.at = getelementptr %Worker, ptr %worker, i64 0, i32 3
  %failed = call i32 @pthread_create(ptr %thread.at, ptr null, ptr @worker, ptr %worker)
  %hired = icmp eq i32 %failed, 0
  br i1 %hired, label %next, label %done
done:
  %number = phi i64 [ %k, %next ], [ %k, %one ]
  %unmasked = call i32 @pthread_sigmask(i32 %set.mask.int, ptr %former, ptr null)
  %size = add i64 %number, 1
  store i64 %size, ptr %team
  ret void
}

; Send the workers home and wait until they have gone. 0 if somebody else has the team just now, else 1. Who stops it
; for a fork (2) keeps it until @team_release.
define i64 @team_stop(ptr %team, i64 %who) {
start:
  %taken = call i64 @take(ptr %team, i64 %who)
  %mine = icmp eq i64 %taken, 1
  br i1 %mine, label %dismiss, label %no
no:
  ret i64 0
dismiss:
  %size = load i64, ptr %team
  %workers.at = getelementptr %Team, ptr %team, i64 0, i32 5
  %workers = load ptr, ptr %workers.at
  %quit.at = getelementptr %Team, ptr %team, i64 0, i32 2
  store i64 1, ptr %quit.at
  %jobs.at = getelementptr %Team, ptr %team, i64 0, i32 14
  call void @move(ptr %team, ptr %jobs.at)
  br label %next
next:
  %t = phi i64 [ 1, %dismiss ], [ %t.after, %join ]
  %more = icmp ult i64 %t, %size
  br i1 %more, label %join, label %gone
join:
  %k = sub i64 %t, 1
  %thread.at = getelementptr %Worker, ptr %workers, i64 %k, i32 3
  %thread = load ptr, ptr %thread.at
  %joined = call i32 @pthread_join(ptr %thread, ptr null)
  %t.after = add i64 %t, 1
  br label %next
gone:
  store i64 0, ptr %quit.at
  store i64 0, ptr %team
  %fork = icmp eq i64 %who, 2
  br i1 %fork, label %keep, label %give.back
give.back:
  call void @team_release(ptr %team, i64 %who)
  br label %keep
keep:
  ret i64 1
}
